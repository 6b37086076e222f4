"""The synthetic sequence tasks on which the papers compare recurrent memories, written as data sets.

Copying, adding and N-th farthest are arrays (:mod:`.arrays`), which the fairseq task ``sequence_prediction`` of this
project trains on. Programs and memorisation are pairs of character strings (:mod:`.strings`), binarised for fairseq's
own ``translation``.
"""
