"""Patches of Step Functions for RedriveExecution: what progress.py needs to know of an execution, and the operation."""

from __future__ import annotations

from typing import Any

from harness.inside.patches.declare import NAME, patch

_ASL = "localstack.services.stepfunctions.asl"
_STATE_EXECUTION = f"{_ASL}.component.state.state_execution"


@patch(
    f"{_ASL}.eval.environment",
    {"Environment.__init__": ("self",), "Environment.as_inner_frame_of": ("cls", "env", "variable_store")},
)
def environments(module: Any) -> None:
    """LocalStack does not know to which part of an execution an environment belongs."""
    from harness.inside.stepfunctions.progress import Part  # noqa: PLC0415

    begin = module.Environment.__init__
    original = module.Environment.as_inner_frame_of.__func__

    def begun(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        self.progress = Part()

    def as_inner_frame_of(cls: Any, env: Any, *args: Any, **kwargs: Any) -> Any:
        frame = original(cls, env, *args, **kwargs)
        frame.progress = env.progress
        return frame

    module.Environment.__init__ = begun
    module.Environment.as_inner_frame_of = classmethod(as_inner_frame_of)


@patch(f"{_ASL}.component.program.program", {"Program._eval_body": ("self", "env")})
def programs(module: Any) -> None:
    """LocalStack begins every program with its first state."""
    from harness.inside.stepfunctions.progress import evaluate  # noqa: PLC0415

    original = module.Program._eval_body  # noqa: SLF001
    module.Program._eval_body = lambda self, env: evaluate(original, self, env)  # noqa: SLF001


@patch(f"{_ASL}.component.state.state", {"CommonStateField._eval_body": ("self", "env")})
def states(module: Any) -> None:
    """LocalStack keeps the input of a state in its history alone."""
    original = module.CommonStateField._eval_body  # noqa: SLF001

    def eval_body(self: Any, env: Any) -> None:
        env.progress.enter(self.name, env.states.get_input())
        original(self, env)

    module.CommonStateField._eval_body = eval_body  # noqa: SLF001


@patch(f"{_STATE_EXECUTION}.state_parallel.branches_decl", {"BranchesDecl._eval_body": ("self", "env")})
def branches(module: Any) -> None:
    """LocalStack does not number the branches of a Parallel."""
    original = module.BranchesDecl._eval_body  # noqa: SLF001

    def eval_body(self: Any, env: Any) -> None:
        for number, program in enumerate(self.programs):
            program.branch = number
        env.progress.attempt()
        original(self, env)

    module.BranchesDecl._eval_body = eval_body  # noqa: SLF001


@patch(
    f"{_STATE_EXECUTION}.state_map.iteration.inline_iteration_component",
    {"InlineIterationComponent._eval_body": ("self", "env")},
)
def iterations(module: Any) -> None:
    """LocalStack lets the iterations of a Map go on when one of them has failed. AWS aborts them."""
    from harness.inside.stepfunctions.progress import stop_frames  # noqa: PLC0415

    original = module.InlineIterationComponent._eval_body  # noqa: SLF001

    def eval_body(self: Any, env: Any) -> None:
        env.progress.attempt()
        try:
            original(self, env)
        except Exception:
            stop_frames(env)
            raise

    module.InlineIterationComponent._eval_body = eval_body  # noqa: SLF001


@patch(f"{_STATE_EXECUTION}.state_map.iteration.iteration_worker", {"IterationWorker._eval_job": ("self", "env", "job")})
def iteration(module: Any) -> None:
    """An iteration that has succeeded is not run again by a redrive."""
    original = module.IterationWorker._eval_job  # noqa: SLF001

    def eval_job(self: Any, env: Any, job: Any) -> None:
        env.progress = env.progress.part(job.job_index)
        if env.progress.succeeded:
            job.job_output = env.progress.output
        else:
            original(self, env, job)

    module.IterationWorker._eval_job = eval_job  # noqa: SLF001


@patch(
    "localstack.services.stepfunctions.provider",
    {"StepFunctionsProvider": NAME, "StepFunctionsProvider._get_execution": ("self", "context", "execution_arn")},
)
def redrives(module: Any) -> None:
    """LocalStack has no redrive of executions."""
    from localstack.aws.api import handler  # noqa: PLC0415
    from localstack.services.stepfunctions.backend.execution import Execution  # noqa: PLC0415

    from harness.inside.stepfunctions import redrive  # noqa: PLC0415

    module.StepFunctionsProvider.redrive_execution = handler("RedriveExecution")(redrive.redrive_execution)
    describe = Execution.to_describe_output

    def to_describe_output(self: Any) -> Any:
        return describe(self) | redrive.told(self)

    Execution.to_describe_output = to_describe_output


PATCHES = (environments, programs, states, branches, iterations, iteration, redrives)
