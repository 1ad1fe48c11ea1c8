"""Records: a JSON file is validated, transformed and stored by a state machine; an element that is not a record goes to a queue, with the reason."""
