"""Making the binarised data of an experiment, unless it is there already."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from data_prep import monolingual, parallel, signature, sources
from data_prep.config import Config, DataConfig, MonolingualConfig
from data_prep.folder import Workplace, building, claimed

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
    stamps = sources.stamps(config)
    made = signature.make(config, command)
    if not Workplace.of(config.out).place.exists() and _is_made(config, made, overwrite):
        return False  # without a lock: the folder may be one that cannot be written to
    with claimed(config.out) as place:
        if _is_made(config, made, overwrite):  # what another process may have done meanwhile counts
            place.remove()
            return False
        with building(place, made["identity"]):
            place.empty_result()
            if isinstance(config, MonolingualConfig):
                monolingual.build(config, place)
            else:
                parallel.Build(config, place).run()
            sources.check_unchanged(stamps)
            signature.write(place.result, made)
    logger.info("wrote %s", config.out)
    return True


def _is_made(config: Config, made: Mapping[str, Any], overwrite: bool) -> bool:
    """Tell whether there is nothing to do; see :func:`prepare` for what is refused."""
    if overwrite:
        signature.check_overwritable(config.out)
        return False
    if not signature.is_up_to_date(config.out, made):
        return False
    logger.info("%s is up to date", config.out)
    return True


def _write_grammar_text(config: DataConfig) -> None:
    """Let the embedded grammar write its corpora; those that are up to date stay as they are."""
    for text in config.grammar:
        from data_prep.grammar import write_corpus  # only experiments with a grammar need it

        options = {key: value for key, value in asdict(text).items() if key != "out"}
        write_corpus(text.out, **options)
