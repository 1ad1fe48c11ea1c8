"""Three kinds of emulator: embedded, container, external."""
