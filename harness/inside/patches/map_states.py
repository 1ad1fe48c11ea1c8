"""Patches of the Map states of Step Functions: what harness/inside/stepfunctions puts in place."""

from __future__ import annotations

from typing import Any

from harness.inside.patches.declare import NAME, patch

_STATE_EXECUTION = "localstack.services.stepfunctions.asl.component.state.state_execution"


@patch("localstack.services.stepfunctions.asl.parse.asl_parser", {"AmazonStateLanguageParser.parse": ("definition",)})
def definitions(module: Any) -> None:
    """LocalStack's grammar has no ItemBatcher, no WriterConfig and two input types only."""
    from harness.inside.stepfunctions.definition import prepared  # noqa: PLC0415

    parse = module.AmazonStateLanguageParser.parse
    module.AmazonStateLanguageParser.parse = staticmethod(lambda definition: parse(prepared(definition)))


@patch(f"{_STATE_EXECUTION}.state_map.state_map", {"StateMap.from_state_props": ("self", "state_props"), "ItemReader": NAME})
def map_states(module: Any) -> None:
    """The fields that the grammar does not know come with a state's Comment."""
    from localstack.services.stepfunctions.asl.component.common.comment import Comment  # noqa: PLC0415

    from harness.inside.stepfunctions.definition import extras_of  # noqa: PLC0415

    original = module.StateMap.from_state_props

    def from_state_props(self: Any, state_props: Any) -> None:
        original(self, state_props)
        comment = state_props.get(Comment)
        extras = extras_of(comment.comment if comment else None)
        self.iteration_component.extras = extras
        self.iteration_component.result_writer = self.result_writer
        if self.item_reader:
            self.item_reader.extras = extras
        if self.result_writer:
            self.result_writer.extras = extras

    module.StateMap.from_state_props = from_state_props


@patch(
    f"{_STATE_EXECUTION}.state_map.iteration.distributed_iteration_component",
    {"DistributedIterationComponent._eval_body": ("self", "env"), "DistributedIterationComponentEvalInput": NAME},
)
def map_runs(module: Any) -> None:
    """LocalStack's Distributed Map succeeds when its children fail, and has a thread for each item."""
    from harness.inside.stepfunctions import map_run  # noqa: PLC0415

    module.DistributedIterationComponent._eval_body = map_run.evaluate  # noqa: SLF001


@patch(
    f"{_STATE_EXECUTION}.state_map.iteration.itemprocessor.map_run_record",
    {"MapRunRecord.describe": ("self",), "MapRunRecordPoolManager.add": ("self",)},
)
def map_run_records(module: Any) -> None:
    """LocalStack tells nothing of the redrives of a Map Run."""
    describe = module.MapRunRecord.describe

    def described(self: Any) -> Any:
        told = describe(self) | {"redriveCount": getattr(self, "redrive_count", 0)}
        return told | ({"redriveDate": self.redrive_date} if told["redriveCount"] else {})

    module.MapRunRecord.describe = described


@patch(
    f"{_STATE_EXECUTION}.state_map.iteration.itemprocessor.distributed_item_processor_worker",
    {"DistributedItemProcessorWorker._eval_job": ("self", "env", "job")},
)
def children(module: Any) -> None:
    """LocalStack forgets why a child of a Distributed Map failed, and lets the map go on."""
    from harness.inside.stepfunctions import map_run  # noqa: PLC0415

    module.DistributedItemProcessorWorker._eval_job = map_run.eval_job  # noqa: SLF001


@patch(
    f"{_STATE_EXECUTION}.state_map.result_writer.result_writer_decl",
    {"ResultWriter._eval_body": ("self", "env"), "resource_eval_for": NAME},
)
def result_files(module: Any) -> None:
    """LocalStack writes a manifest that names no results."""
    from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.credentials import (  # noqa: PLC0415
        StateCredentials,
    )
    from localstack.services.stepfunctions.asl.utils.boto_client import boto_client_for  # noqa: PLC0415

    from harness.inside.stepfunctions import results  # noqa: PLC0415

    def eval_body(self: Any, env: Any) -> None:
        self.parargs.eval(env=env)
        parameters = env.stack.pop()
        env.stack.pop()
        self.resource_eval.resource.eval(env=env)
        part = env.stack.pop()
        credentials = StateCredentials(role_arn=env.aws_execution_details.role_arn)
        s3 = boto_client_for(service="s3", region=part.region, state_credentials=credentials)
        record = env.progress.map_run
        config = getattr(self, "extras", {}).get("WriterConfig") or {}
        env.stack.append(results.write(s3, parameters["Bucket"], parameters.get("Prefix") or "", record, config))

    module.ResultWriter._eval_body = eval_body  # noqa: SLF001


@patch(f"{_STATE_EXECUTION}.state_map.item_reader.item_reader_decl", {"ItemReader._eval_body": ("self", "env")})
def item_readers(module: Any) -> None:
    """LocalStack reads one page of a listing, and two input types."""
    from localstack.aws.api.stepfunctions import HistoryEventType, MapRunFailedEventDetails  # noqa: PLC0415
    from localstack.services.stepfunctions.asl.component.common.error_name.failure_event import (  # noqa: PLC0415
        FailureEvent,
        FailureEventException,
    )
    from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name import (  # noqa: PLC0415
        StatesErrorName,
    )
    from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name_type import (  # noqa: PLC0415
        StatesErrorNameType,
    )
    from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.credentials import (  # noqa: PLC0415
        StateCredentials,
    )
    from localstack.services.stepfunctions.asl.eval.event.event_detail import EventDetails  # noqa: PLC0415
    from localstack.services.stepfunctions.asl.utils.boto_client import boto_client_for  # noqa: PLC0415

    from harness.inside.stepfunctions import reader  # noqa: PLC0415

    def failed(env: Any, cause: str) -> Any:
        name = StatesErrorName(typ=StatesErrorNameType.StatesItemReaderFailed)
        details = EventDetails(mapRunFailedEventDetails=MapRunFailedEventDetails(error=name.error_name, cause=cause))
        return FailureEventException(
            FailureEvent(env=env, error_name=name, event_type=HistoryEventType.TaskFailed, event_details=details)
        )

    def eval_body(self: Any, env: Any) -> None:
        config: dict[str, Any] = {}
        if self.reader_config:
            self.reader_config.eval(env=env)
            config = env.stack.pop()
        parameters: dict[str, Any] = {}
        if self.parargs:
            self.parargs.eval(env=env)
            parameters = env.stack.pop()
        self.resource_eval.resource.eval(env=env)
        part = env.stack.pop()
        credentials = StateCredentials(role_arn=env.aws_execution_details.role_arn)
        s3 = boto_client_for(service="s3", region=part.region, state_credentials=credentials)
        extras = getattr(self, "extras", {})
        most = config.get("MaxItemsValue") or 100_000_000
        try:
            if self.resource_eval.resource.api_action.lower() == "listobjectsv2":
                env.stack.append(reader.listed(s3, parameters, most))
                return
            kind = extras.get("InputType") or (
                self.reader_config.input_type.input_type_value.value if self.reader_config else "JSON"
            )
            body = s3.get_object(**parameters)["Body"].read()
            csv = {"CSVHeaderLocation": config.get("CSVHeaderLocation"), "CSVHeaders": config.get("CSVHeaders")}
            items = reader.items_of(body, kind, csv, extras.get("CSVDelimiter", "COMMA"))
        except (reader.UnreadableItemsError, s3.exceptions.ClientError) as error:
            raise failed(env, str(error)) from error
        env.stack.append(items[:most])

    module.ItemReader._eval_body = eval_body  # noqa: SLF001


PATCHES = (definitions, map_states, map_runs, map_run_records, children, result_files, item_readers)
