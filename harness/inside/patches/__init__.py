"""Where LocalStack has no plugin point: every patch of its modules, one file per service. Nothing else in `inside` patches.

A patch declares what it expects to find, and LocalStack does not start where that is missing (declare.py). A module is patched when
LocalStack first loads it, since most modules belong to services that load lazily (apply.py).
"""
