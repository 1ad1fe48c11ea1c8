"""An invocation is counted before it is answered; LocalStack starts a thread for that, which may come later."""

from __future__ import annotations

from types import SimpleNamespace

from harness.inside.patches import apigateway, lambda_


class Manager:
    """In the place of LocalStack's LambdaVersionManager."""

    def invoke(self, *, invocation):
        return invocation


def test_what_counts_an_invocation_is_called_at_once_and_other_work_has_its_thread():
    started, done = [], []
    module = SimpleNamespace(
        LambdaVersionManager=type("Patched", (Manager,), {}), start_thread=lambda _work, **named: started.append(named["name"])
    )
    lambda_.invocation.apply(module)
    module.start_thread(lambda *_: done.append("counted"), name="record-cloudwatch-metric-f:$LATEST")
    module.start_thread(lambda *_: done.append("counted"), name="record-cloudwatch-metric-error-f:$LATEST")
    module.start_thread(lambda *_: done.append("scaled"), name="scale")
    assert (done, started) == (["counted", "counted"], ["scale"])
    assert module.LambdaVersionManager().invoke(invocation="one") == "one"


def test_an_older_address_of_a_rest_api_is_served_without_a_warning():
    module = SimpleNamespace()
    apigateway.older_addresses.apply(module)
    assert module.deprecated_endpoint(endpoint=print, previous_path="/old", deprecation_version="1", new_path="/new") is print
