"""Patches of SES."""

from __future__ import annotations

from typing import Any

from harness.inside.patches.declare import NAME, patch


@patch(
    "localstack.services.ses.resource_providers.aws_ses_emailidentity",
    {
        "SESEmailIdentityProvider.create": ("self", "request"),
        "SESEmailIdentityProvider.delete": ("self", "request"),
        "ProgressEvent": NAME,
        "OperationStatus": NAME,
    },
)
def email_identity(module: Any) -> None:
    """CloudFormation cannot create or delete an identity of SES. Here an identity is verified at once, as SES in LocalStack does it."""
    provider = module.SESEmailIdentityProvider

    def create(_self: Any, request: Any) -> Any:
        name, ses = request.desired_state["EmailIdentity"], request.aws_client_factory.ses
        if "@" in name:
            ses.verify_email_identity(EmailAddress=name)
        else:
            ses.verify_domain_identity(Domain=name)
        return module.ProgressEvent(status=module.OperationStatus.SUCCESS, resource_model=request.desired_state)

    def delete(_self: Any, request: Any) -> Any:
        request.aws_client_factory.ses.delete_identity(Identity=request.previous_state["EmailIdentity"])
        return module.ProgressEvent(status=module.OperationStatus.SUCCESS, resource_model={})

    provider.create, provider.delete = create, delete


PATCHES = (email_identity,)
