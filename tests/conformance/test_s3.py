"""S3: listings of more than one page."""

from __future__ import annotations

import pytest

V2 = "AmazonS3/latest/API/API_ListObjectsV2.html"
KEYS = sorted(
    ["a b/1", "a+b/1", "dt=1/hour=00/x", "dt=1/hour=01/x", "dt=2/hour=00/x", "plain", "per%cent", "umlaut-ä", "z=1"],
    key=lambda key: key.encode(),
)


@pytest.fixture
def bucket(clients):
    name = f"listed-{clients.account}"
    clients("s3").create_bucket(Bucket=name)
    for key in KEYS:
        clients("s3").put_object(Bucket=name, Key=key, Body=b"x")
    return name


def listed(clients, operation, bucket, of="Contents", member="Key", size=2, **options):
    pages = clients("s3").get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": size}, **options)
    return [one[member] for page in pages for one in page.get(of, ())]


@pytest.mark.rule(V2)
@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_all_pages_have_all_keys(clients, bucket, size):
    """A listing in pages has every key once, in the order of their bytes, whatever characters they have."""
    assert listed(clients, "list_objects_v2", bucket, size=size) == KEYS


@pytest.mark.rule("AmazonS3/latest/API/API_ListObjects.html")
def test_markers_of_the_first_version(clients, bucket):
    """ListObjects goes on behind its Marker."""
    assert listed(clients, "list_objects", bucket) == KEYS


@pytest.mark.rule("AmazonS3/latest/API/API_ListObjectVersions.html")
def test_versions_in_pages(clients, bucket):
    """ListObjectVersions in pages has every version."""
    clients("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in KEYS:
        clients("s3").put_object(Bucket=bucket, Key=key, Body=b"y")
    assert listed(clients, "list_object_versions", bucket, of="Versions") == [key for key in KEYS for _ in range(2)]


@pytest.mark.rule(V2)
def test_a_prefix_in_pages(clients, bucket):
    """A listing below a prefix in pages has every key below it."""
    assert listed(clients, "list_objects_v2", bucket, size=1, Prefix="dt=1/") == [key for key in KEYS if key.startswith("dt=1/")]


@pytest.mark.rule(V2)
def test_start_after(clients, bucket):
    """StartAfter begins with the key behind the given one."""
    assert listed(clients, "list_objects_v2", bucket, StartAfter="dt=1/hour=01/x") == KEYS[KEYS.index("dt=1/hour=01/x") + 1 :]


@pytest.mark.rule(V2)
def test_common_prefixes_in_pages(clients, bucket):
    """With a delimiter the keys below it are rolled up into common prefixes, each once over all pages."""
    prefixes = listed(clients, "list_objects_v2", bucket, of="CommonPrefixes", member="Prefix", size=1, Delimiter="/")
    assert prefixes == ["a b/", "a+b/", "dt=1/", "dt=2/"]


@pytest.mark.rule(V2)
def test_a_thousand_keys_are_a_page(clients):
    """A page has a thousand keys; the token leads to the others."""
    from concurrent.futures import ThreadPoolExecutor

    bucket = f"many-{clients.account}"
    clients("s3").create_bucket(Bucket=bucket)
    keys = [f"events/dt=2026-01-0{day}/{number:04d}" for day in (1, 2) for number in range(510)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: clients("s3").put_object(Bucket=bucket, Key=key, Body=b"x"), keys))
    first = clients("s3").list_objects_v2(Bucket=bucket)
    assert (first["KeyCount"], first["IsTruncated"]) == (1000, True)
    assert listed(clients, "list_objects_v2", bucket, size=1000) == keys
