"""Makes `import pipeline.…` work in a deployment package, whose root is this folder (CodeUri in the templates).

A module with a `__path__` is a package: `pipeline.clickstream` is then found beside this file, as in the repository.
"""

from pathlib import Path

__path__ = [str(Path(__file__).parent)]
