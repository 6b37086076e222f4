"""Parallel text to binarised fairseq data: cleaning, subwords, dictionaries, signatures.

Stands alone: needs neither ``rims_nlp`` nor ``fairseq_plugins``. Command line: ``python -m data_prep --help``.
"""
