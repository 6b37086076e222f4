"""Parallel English, German and French text from an embedded synchronous grammar; see README.md."""

from data_prep.grammar.corpus import write_corpus

__all__ = ["write_corpus"]
