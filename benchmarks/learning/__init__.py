"""Does each pretrainer learn at all? One decisive experiment, with a plain loop beside it."""
