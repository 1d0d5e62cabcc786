"""What databases of one schema share: the rehearsal of one of them holds for all."""
