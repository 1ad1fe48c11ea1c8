"""The archive of what was uploaded."""

from __future__ import annotations

from collections import Counter

import duckdb

from harness.errors import UnknownVerdictError
from harness.parts.objects import hashes
from harness.parts.ports import Check, Context, Finding

_SHOWN = 5
_UPLOADS = """
SELECT DISTINCT shard, file_hash, shard IN (SELECT shard FROM read_parquet($2) WHERE outcome <> 'stored' AND sequence IS NULL AND shard IS NOT NULL)
FROM read_parquet($1) SEMI JOIN (FROM read_parquet($2) WHERE outcome = 'stored') USING (shard)
WHERE file_hash IS NOT NULL ORDER BY shard
"""


class Archive(Check):
    """Expects every uploaded file of which a record was stored below `prefix` of `bucket`, byte for byte; but for those that were given up as a whole: these wait for a person where they are.

    Which upload a stored record is of must be known: a probe of what is stored reads `shard`. Where nothing was stored the check holds, and
    says nothing."""

    bucket: str
    prefix: str = ""

    def open(self, context: Context) -> Finding:
        """Returns which files are not there. Raises UnknownVerdictError where no stored record names its file."""
        ledger, observations = (str(context.run_dir / f"{name}.parquet") for name in ("ledger", "observations"))
        with duckdb.connect() as db:
            found = db.execute(_UPLOADS, [ledger, observations]).fetchall()
            stored = db.execute("FROM read_parquet($1) WHERE outcome = 'stored' LIMIT 1", [observations]).fetchone()
        if not found and stored:
            raise UnknownVerdictError("no stored record names the file that it is of")
        uploads = [(upload, digest) for upload, digest, given_up in found if not given_up]
        # The same file may have been uploaded twice: both must be kept.
        kept = Counter(digest for _, digest in hashes(context, self.bucket, self.prefix))
        missing = []
        for upload, digest in uploads:
            if kept[digest] <= 0:
                missing.append(upload)
            kept[digest] -= 1
        if not missing:
            many = "1 upload" if len(uploads) == 1 else f"{len(uploads)} uploads"
            return Finding(holds=True, text=f"all of {many} with a stored record are archived byte for byte")
        shown = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
        return Finding(
            holds=False,
            text=f"{len(missing)} of {len(uploads)} uploads with a stored record are not below {self.prefix} byte for byte: {shown}",
        )
