"""Delivery streams: records put into them, what changes them, and what did not arrive."""

from __future__ import annotations

import base64
import json

# The prefix of what is not delivered.
ERRORS = "errors/!{firehose:error-output-type}/"
TRANSFORMER = """
def handler(event, context):
    note(event)
    out = []
    for record in event["records"]:
        data = base64.b64decode(record["data"]).decode()
        if data == "drop":
            out.append({"recordId": record["recordId"], "result": "Dropped", "data": record["data"]})
        elif data == "fail":
            out.append({"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]})
        elif data == "raise":
            raise ValueError("poison")
        elif data != "forget":
            changed = base64.b64encode((data.upper() + ";").encode()).decode()
            keys = {"partitionKeys": {"kind": data[0]}}
            out.append({"recordId": record["recordId"], "result": "Ok", "data": changed, "metadata": keys})
    return {"records": out}
"""


def put(clients, *data):
    return clients("firehose").put_record_batch(DeliveryStreamName="stream", Records=[{"Data": d.encode()} for d in data])


def processor(kind, **parameters):
    return {"Type": kind, "Parameters": [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]}


def errors(objects):
    """The raw data of the lines below the error prefix."""
    return [base64.b64decode(json.loads(line)["rawData"]) for body in objects("errors/").values() for line in body.splitlines()]
