"""Records: a JSON file is validated, transformed and stored by a state machine; what is no record goes to a queue, with the reason."""
