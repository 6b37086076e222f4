"""The subcommands: a module each, with HELP, EXAMPLES, ``add_arguments(parser)`` and ``run(args, command)``."""
