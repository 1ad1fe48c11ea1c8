"""Patches of S3."""

from __future__ import annotations

import dataclasses
import functools
import os
import urllib.parse
from typing import Any

from harness.inside.patches.declare import NAME, patch


@patch("localstack.services.s3.provider", {"DEFAULT_S3_TMP_DIR": NAME})
def objects(module: Any) -> None:
    """S3 keeps its objects in one directory for all LocalStacks of the machine, and leaves them there."""
    from localstack import config  # noqa: PLC0415

    # A string, as LocalStack has it.
    module.DEFAULT_S3_TMP_DIR = os.path.join(config.dirs.tmp, "s3-objects")  # noqa: PTH118


@patch("localstack.utils.aws.aws_stack", {"CACHE_S3_HOSTNAME_DNS_STATUS": NAME})
def hostname(module: Any) -> None:
    """LocalStack asks the internet's DNS for its host name, which takes ten seconds where there is no internet."""
    module.CACHE_S3_HOSTNAME_DNS_STATUS = False


@patch("localstack.services.s3.notifications", {"ThreadPoolExecutor": NAME})
def notifications(module: Any) -> None:
    """S3 sends notifications on background threads that nothing counts: a drain could not know of them."""
    from harness.inside.gauges.deliveries import CountedExecutor  # noqa: PLC0415

    module.ThreadPoolExecutor = CountedExecutor


@patch(
    "localstack.services.s3.notifications",
    {"quote": NAME, "EventBridgeNotifier._get_event_payload": ("ctx", "config_id"), "S3EventNotificationContext": NAME},
)
def keys_in_events(module: Any) -> None:
    """A blank in a key is + in a notification, and the keys of EventBridge are not encoded."""
    payload = module.EventBridgeNotifier._get_event_payload  # noqa: SLF001

    def decoded(ctx: Any, config_id: Any = None) -> Any:
        return payload(dataclasses.replace(ctx, key_name=urllib.parse.unquote_plus(ctx.key_name)), config_id)

    module.quote = lambda key: urllib.parse.quote_plus(key, safe="/*")
    module.EventBridgeNotifier._get_event_payload = staticmethod(decoded)  # noqa: SLF001


@patch(
    "localstack.services.s3.notifications",
    {
        "S3EventNotificationContext": NAME,
        "BaseNotifier._get_event_payload": ("ctx", "config_id"),
        "EventBridgeNotifier._get_event_payload": ("ctx", "config_id"),
        "NotificationDispatcher.verify_configuration": ("self", "notification_configurations"),
    },
)
def sequencers(module: Any) -> None:
    """LocalStack gives all events one sequencer, and takes configurations that S3 refuses."""
    begin = module.S3EventNotificationContext.__init__
    verify_configuration = module.NotificationDispatcher.verify_configuration

    def begun(self: Any, *args: Any, **kwargs: Any) -> None:
        from harness.inside.s3.notifications import next_sequencer  # noqa: PLC0415

        begin(self, *args, **kwargs)
        # Now, as the events come about: what sends them does not keep their order.
        self.sequencer = next_sequencer()

    def with_own(payload: Any) -> Any:
        def made(ctx: Any, config_id: Any = None) -> Any:
            from harness.inside.s3.notifications import corrected  # noqa: PLC0415

            return corrected(payload(ctx, config_id), ctx.sequencer)

        return staticmethod(made)

    def verified(self: Any, notification_configurations: Any, *args: Any, **kwargs: Any) -> Any:
        from harness.inside.s3.notifications import verify  # noqa: PLC0415

        verify(notification_configurations)
        return verify_configuration(self, notification_configurations, *args, **kwargs)

    module.S3EventNotificationContext.__init__ = begun
    module.NotificationDispatcher.verify_configuration = verified
    for notifier in (module.BaseNotifier, module.EventBridgeNotifier):
        notifier._get_event_payload = with_own(notifier._get_event_payload)  # noqa: SLF001


@patch(
    "localstack.services.s3.presigned_url",
    {"validate_presigned_url_s3": ("context",), "validate_presigned_url_s3v4": ("context",), "AccessDenied": NAME},
)
def expiry(module: Any) -> None:
    """LocalStack does not refuse a presigned URL whose time is over, as long as it does not check signatures either."""
    from harness.inside.s3 import presigned  # noqa: PLC0415

    for name, ends in (("validate_presigned_url_s3", presigned.end), ("validate_presigned_url_s3v4", presigned.end_v4)):
        setattr(module, name, presigned.expiring(getattr(module, name), ends))


@patch("localstack.services.s3.provider", {"S3Provider": NAME, "S3Provider.get_object": ("self", "context", "request")})
def select(module: Any) -> None:
    """LocalStack has no SelectObjectContent."""
    from localstack.aws.api import handler  # noqa: PLC0415

    def select_object_content(self: Any, context: Any, request: Any) -> Any:
        from harness.inside.s3.select_object import select_object_content as ours  # noqa: PLC0415

        return ours(self, context, request)

    module.S3Provider.select_object_content = handler("SelectObjectContent", expand=False)(select_object_content)


_LISTINGS = ("list_objects", "list_objects_v2", "list_object_versions", "list_multipart_uploads")


@patch(
    "localstack.services.s3.provider",
    {f"S3Provider.{name}": ("self", "context", "bucket", "delimiter", "encoding_type") for name in _LISTINGS},
)
def listings(module: Any) -> None:
    """LocalStack encodes a key before it makes the token of the next page: that page is empty where an encoded character comes early. The newer
    LocalStack cannot read a token of a key with characters beyond ASCII."""
    from harness.inside.s3.listing import encoded_afterwards, key_of_token  # noqa: PLC0415

    if hasattr(module, "decode_continuation_token"):
        module.decode_continuation_token = key_of_token
    for name in _LISTINGS:
        setattr(module.S3Provider, name, encoded_afterwards(getattr(module.S3Provider, name)))


@patch(
    "localstack.aws.protocol.serializer",
    {
        "S3ResponseSerializer._serialize_body_params": ("self", "params", "shape", "operation_model", "mime_type", "request_id"),
        "S3ResponseSerializer._RESPONSE_ROOT_TAGS": NAME,
        "S3ResponseSerializer.XML_NAMESPACE": NAME,
        "ResponseSerializer._convert_timestamp_to_str": ("self", "value", "timestamp_format"),
        "ResponseSerializer._get_base64": ("self", "value"),
    },
)
def answers(module: Any) -> None:
    """LocalStack takes 60 ms of the processor to write the list of a thousand keys."""
    from harness.inside.s3.answers import written_at_once  # noqa: PLC0415

    serializer = module.S3ResponseSerializer
    serializer._serialize_body_params = written_at_once(serializer._serialize_body_params)  # noqa: SLF001


@patch("localstack.aws.protocol.serializer", {"parse_to_aware_datetime": ("value",)})
def timestamps(module: Any) -> None:
    """S3 keeps the time of an object as text. The serializer gives it to a parser that guesses its form: a sixth of the time of a small get."""
    parse = module.parse_to_aware_datetime
    of_text = functools.lru_cache(maxsize=4096)(parse)
    module.parse_to_aware_datetime = lambda value: (of_text if isinstance(value, str) else parse)(value)


PATCHES = (timestamps, objects, hostname, notifications, keys_in_events, sequencers, expiry, select, listings, answers)
