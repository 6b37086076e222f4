"""Making the binarised data of an experiment, unless it is there already."""

import logging
from dataclasses import asdict

from data_prep import monolingual, parallel, signature, sources
from data_prep.config import Config, DataConfig, MonolingualConfig
from data_prep.folder import building

logger = logging.getLogger(__name__)


def prepare(config: Config, *, command: str = "", overwrite: bool = False) -> bool:
    """Make the binarised data of an experiment in ``config.out``, all of it or nothing.

    Args:
        config: what to make.
        command: the command line, for the signature.
        overwrite: replace what an earlier run left in ``config.out``.

    Returns:
        False if ``config.out`` already held exactly this.

    Raises:
        FileNotFoundError: if an input file is missing.
        ValueError: if an input is misaligned, empty or not UTF-8, if a training corpus loses all its lines, if the
            vocabulary cannot be made, if ``config.out`` holds something else or another process is building it.
        RuntimeError: if a download fails.
    """
    if isinstance(config, DataConfig):
        _write_grammar_text(config)
    config = sources.resolve(config)
    made = signature.make(config, command)
    if overwrite:
        signature.check_overwritable(config.out)
    elif signature.is_up_to_date(config.out, made):
        logger.info("%s is up to date", config.out)
        return False
    with building(config.out, made["identity"]) as place:
        place.empty_result()
        if isinstance(config, MonolingualConfig):
            monolingual.build(config, place)
        else:
            parallel.Build(config, place).run()
        signature.write(place.result, made)
    logger.info("wrote %s", config.out)
    return True


def _write_grammar_text(config: DataConfig) -> None:
    """Let the embedded grammar write its corpora; those that are up to date stay as they are."""
    for text in config.grammar:
        from data_prep.grammar import write_corpus  # only experiments with a grammar need it

        options = {key: value for key, value in asdict(text).items() if key != "out"}
        write_corpus(text.out, **options)
