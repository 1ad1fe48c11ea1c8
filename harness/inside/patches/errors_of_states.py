"""Patches of Step Functions for the names of errors, and for what intrinsic functions and comparisons make of their texts."""

from __future__ import annotations

import json
import re
from typing import Any

from harness.inside.patches.declare import NAME, patch

_ASL = "localstack.services.stepfunctions.asl"
_COMPONENT = f"{_ASL}.component"
_STATE_EXECUTION = f"{_COMPONENT}.state.state_execution"


@patch(f"{_COMPONENT}.common.error_name.error_equals_decl", {"ErrorEqualsDecl._eval_body": ("self", "env")})
def error_equals(module: Any) -> None:
    """States.ALL catches States.DataLimitExceeded in LocalStack, and States.TaskFailed none of the names that begin with States."""

    def eval_body(self: Any, env: Any) -> None:
        from harness.inside.stepfunctions.failures import matches  # noqa: PLC0415

        env.stack.append(matches(self.error_names, env.stack.pop()))

    module.ErrorEqualsDecl._eval_body = eval_body  # noqa: SLF001


@patch(f"{_COMPONENT}.common.error_name.custom_error_name", {"CustomErrorName.__init__": ("self", "error_name")})
def error_names(module: Any) -> None:
    """LocalStack raises where an error of AWS's own goes on: from an iteration to its Map, or by the ErrorPath of a Fail state."""

    def made(self: Any, error_name: str | None) -> None:
        super(module.CustomErrorName, self).__init__(error_name=error_name)

    module.CustomErrorName.__init__ = made


@patch(
    f"{_STATE_EXECUTION}.execute_state",
    {
        "ExecutionState._evaluate_with_timeout": ("self", "env"),
        "ExecutionState._eval_state_output": ("self", "env"),
        "ExecutionState._from_error": ("self", "env", "ex"),
    },
)
def states_that_execute(module: Any) -> None:
    """What a path that finds nothing, an intrinsic function or a heartbeat raises is States.Runtime or States.Timeout in LocalStack, and has no other name.
    An error in a state's JSONata Output passes by its Retry and Catch. A retry waits for the token of the attempt before it,
    and an attempt that has failed still takes an answer."""
    original = module.ExecutionState._evaluate_with_timeout  # noqa: SLF001
    put_out = module.ExecutionState._eval_state_output  # noqa: SLF001
    is_out = object()

    def evaluate(self: Any, env: Any) -> None:
        from harness.inside.stepfunctions import tokens  # noqa: PLC0415
        from harness.inside.stepfunctions.attempts import Attempt  # noqa: PLC0415

        tokens.renew(env)
        attempt = Attempt(env)
        try:
            original(self, env)
            if self.output is not None:
                # Here, where an error of it is one of the state.
                with attempt.variables_as_before():
                    put_out(self, env)
                env.stack.append(is_out)
        except Exception as error:
            tokens.close(env)
            attempt.undo()
            named = _named(self, env, error)
            if named is None:
                raise
            raise named from error

    def eval_state_output(self: Any, env: Any) -> None:
        if env.stack[-1] is is_out:
            env.stack.pop()
        else:
            put_out(self, env)

    module.ExecutionState._evaluate_with_timeout = evaluate  # noqa: SLF001
    module.ExecutionState._eval_state_output = eval_state_output  # noqa: SLF001


@patch(
    f"{_STATE_EXECUTION}.execute_state",
    {
        "ExecutionState._handle_retry": ("self", "env", "failure_event"),
        "ExecutionState._handle_catch": ("self", "env", "failure_event"),
        "RetryOutcome": NAME,
        "CatchOutcome": NAME,
    },
)
def retries_and_catches(module: Any) -> None:
    """LocalStack notes nowhere with which input a state has failed, and what its Retry or Catch did then."""
    from harness.inside.stepfunctions.failed_state import FailedState  # noqa: PLC0415

    retry, catch = module.ExecutionState._handle_retry, module.ExecutionState._handle_catch  # noqa: SLF001

    def handle_retry(self: Any, env: Any, failure_event: Any) -> Any:
        failed = FailedState(self.name, env, failure_event)
        outcome = retry(self, env, failure_event)
        if outcome == module.RetryOutcome.CanRetry:
            failed.note(None)
        return outcome

    def handle_catch(self: Any, env: Any, failure_event: Any) -> None:
        failed = FailedState(self.name, env, failure_event)
        catch(self, env, failure_event)
        if env.stack[-1] == module.CatchOutcome.Caught:
            failed.note(env.next_state_name)

    module.ExecutionState._handle_retry = handle_retry  # noqa: SLF001
    module.ExecutionState._handle_catch = handle_catch  # noqa: SLF001


def _named(state: Any, env: Any, error: Exception) -> Any:
    """Returns the failure with AWS's name for an error; None where LocalStack names it rightly."""
    from localstack.services.stepfunctions.asl.eval.callback.callback import HeartbeatTimeoutError  # noqa: PLC0415
    from localstack.services.stepfunctions.asl.utils.json_path import NoSuchJsonPathError  # noqa: PLC0415

    from harness.inside.stepfunctions import failures  # noqa: PLC0415

    match error:
        case NoSuchJsonPathError():
            return failures.path_not_found(env, error)
        case failures.IntrinsicError():
            return failures.intrinsic_failed(env, error)
        case HeartbeatTimeoutError():
            return failures.heartbeat_stayed_away(state._from_error(env=env, ex=error))  # noqa: SLF001 - of the class that is patched
    return None


@patch(
    f"{_STATE_EXECUTION}.state_task.state_task_activitiy",
    {"StateTaskActivity._from_error": ("self", "env", "ex"), "FailureEventException": NAME},
)
def activities(module: Any) -> None:
    """LocalStack raises an error of an activity's state that has a name, past its Catch."""
    original = module.StateTaskActivity._from_error  # noqa: SLF001

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        return ex.failure_event if isinstance(ex, module.FailureEventException) else original(self, env, ex)

    module.StateTaskActivity._from_error = from_error  # noqa: SLF001


@patch(
    f"{_COMPONENT}.common.path.result_path",
    {"ResultPath._eval_body": ("self", "env"), "ResultPath.__init__": ("self", "result_path_src")},
)
def result_paths(module: Any) -> None:
    """LocalStack drops a result whose ResultPath cannot be applied to the input, or fails without a name."""
    original = module.ResultPath._eval_body  # noqa: SLF001

    def eval_body(self: Any, env: Any) -> None:
        from harness.inside.stepfunctions.failures import leads_nowhere, result_path_failed  # noqa: PLC0415

        path = self.result_path_src
        if path not in (None, "$") and leads_nowhere(path, env.states.get_input()):
            raise result_path_failed(env, path)
        original(self, env)

    module.ResultPath._eval_body = eval_body  # noqa: SLF001


@patch(
    f"{_COMPONENT}.intrinsic.function.statesfunction.states_function",
    {"StatesFunction.__init__": ("self", "states_name", "argument_list")},
)
def intrinsic_functions(module: Any) -> None:
    """LocalStack lets through what Python raises in an intrinsic function."""

    def evaluate(self: Any, env: Any) -> None:
        from harness.inside.stepfunctions.failures import IntrinsicError  # noqa: PLC0415

        try:
            super(module.StatesFunction, self).eval(env)
        except IntrinsicError:
            raise
        except Exception as error:
            message = f"The function 'States.{self.name.function_type._name_}' had the following error: {error}"
            raise IntrinsicError(message) from error

    module.StatesFunction.eval = evaluate


@patch(
    f"{_ASL}.parse.intrinsic.intrinsic_parser",
    {
        "IntrinsicParser.parse": ("src",),
        "ASLIntrinsicLexer": NAME,
        "ASLIntrinsicParser": NAME,
        "CommonTokenStream": NAME,
        "InputStream": NAME,
    },
)
def arguments(module: Any) -> None:
    """LocalStack's grammar has no null, no fractions and no escaped quotation mark: it leaves out what it does not know."""

    def parse(src: str) -> Any:
        from harness.inside.stepfunctions.intrinsics import parsed  # noqa: PLC0415

        function = parsed(json.loads(f'"{src}"', strict=False))
        # What looks for variables reads the tree.
        lexer = module.ASLIntrinsicLexer(module.InputStream(src))
        parser = module.ASLIntrinsicParser(module.CommonTokenStream(lexer))
        for part in (lexer, parser):
            part.removeErrorListeners()
        return function, parser.func_decl()

    module.IntrinsicParser.parse = staticmethod(parse)


@patch(f"{_COMPONENT}.intrinsic.function.statesfunction.generic.string_format", {"StringFormat._eval_body": ("self", "env")})
def templates(module: Any) -> None:
    """LocalStack takes a template of States.Format for one of Python's."""

    def eval_body(self: Any, env: Any) -> None:
        from harness.inside.stepfunctions.intrinsics import format_body  # noqa: PLC0415

        format_body(self, env)

    module.StringFormat._eval_body = eval_body  # noqa: SLF001


@patch(
    f"{_ASL}.parse.preprocessor",
    {"from_string_literal": ("parser_rule_context",), "Preprocessor._inner_string_of": ("parser_rule_context",)},
)
def texts(module: Any) -> None:
    """LocalStack takes the escapes of JSON in a definition for those of Python, or as they are."""
    original = module.Preprocessor._inner_string_of  # noqa: SLF001

    def inner_string_of(parser_rule_context: Any) -> str | None:
        return _decoded(original(parser_rule_context))

    def from_string_literal(parser_rule_context: Any) -> str | None:
        return _decoded(original(parser_rule_context))

    module.Preprocessor._inner_string_of = staticmethod(inner_string_of)  # noqa: SLF001
    module.from_string_literal = from_string_literal


@patch(
    f"{_COMPONENT}.state.state_choice.comparison.operator.implementations.string_operators",
    {"StringMatches._compare": ("variable", "comparison_value")},
)
def string_matches(module: Any) -> None:
    """LocalStack knows more wildcards than `*`, and does not know that one can be escaped."""

    def compare(variable: Any, comparison_value: Any) -> bool:
        pieces = re.findall(r"\\.|[^\\]|\\$", comparison_value, re.DOTALL)
        pattern = "".join(".*" if piece == "*" else re.escape(piece[-1]) for piece in pieces)
        return isinstance(variable, str) and re.fullmatch(pattern, variable, re.DOTALL) is not None

    module.StringMatches._compare = staticmethod(compare)  # noqa: SLF001


def _decoded(text: str | None) -> str | None:
    return text if text is None or "\\" not in text else json.loads(f'"{text}"', strict=False)


def _services(module: Any) -> None:
    """LocalStack gives a time-out of these tasks, and a path that finds nothing, the name of an error of the service. The cause is the text of a Python object."""
    from localstack.services.stepfunctions.asl.component.common.error_name.failure_event import FailureEventException  # noqa: PLC0415

    service = getattr(module, "StateTaskServiceDynamoDB", None) or module.StateTaskServiceApiGateway
    original = service._from_error  # noqa: SLF001

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        if isinstance(ex, FailureEventException | TimeoutError):
            return super(service, self)._from_error(env=env, ex=ex)
        return original(self, env=env, ex=ex)

    service._from_error = from_error  # noqa: SLF001


_SERVICE = f"{_STATE_EXECUTION}.state_task.service.state_task_service"
dynamodb = patch(f"{_SERVICE}_dynamodb", {"StateTaskServiceDynamoDB._from_error": ("self", "env", "ex")})(_services)
api_gateway = patch(f"{_SERVICE}_api_gateway", {"StateTaskServiceApiGateway._from_error": ("self", "env", "ex")})(_services)


PATCHES = (
    error_equals,
    error_names,
    states_that_execute,
    retries_and_catches,
    activities,
    result_paths,
    intrinsic_functions,
    arguments,
    templates,
    texts,
    string_matches,
    dynamodb,
    api_gateway,
)
