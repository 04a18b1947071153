"""Does each pretrainer learn? One experiment for all, compared with a plain loop."""
