"""Privacy serves the rights of the person: who is known, under which regime, and who may look."""
