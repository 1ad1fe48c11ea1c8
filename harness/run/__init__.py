"""One run: scenario, engine, drain, events, bench."""
