"""Text from a language model, one token after another."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.data.text import tokenizers
from jssl.methods import weights
from jssl.report.run import load_run

READOUT = "next_token"
"""The readout that gives (B, V) logits of what follows each row."""


def generate_run(
    workdir: str, *, prompt: str = "", tokens: int = 256, temperature: float = 0.8, top_k: int = 0, seed: int = 0
) -> str:
    """Continues ``prompt`` with the model in ``workdir``.

    Args:
      workdir: of a language model's run.
      prompt: its beginning; where it is empty the model begins with the token that begins texts, or a line break.
      tokens: how many to add, at most; an end of text stops.
      temperature: of the draw; 0 takes the likeliest token.
      top_k: draw among so many of the likeliest; 0 draws among all.
      seed: of the draw.

    Returns:
      The prompt and what follows.

    Raises:
      ValueError: no run, one without a language model, or an option out of range.
    """
    if tokens < 1 or temperature < 0 or top_k < 0:
        raise ValueError(f"tokens={tokens}, temperature={temperature}, top_k={top_k}: use at least 1, 0 and 0")
    loaded = load_run(workdir)
    method, card = loaded.run.method, loaded.run.card
    if READOUT not in method.readouts:
        raise ValueError(f"{method.name} does not generate; it reads {', '.join(method.readouts)}")
    readout, variables = method.readouts[READOUT], weights(loaded.state)
    tokenizer = tokenizers.make(card.about.tokenizer or "")
    start = [] if tokenizer.bos is None else [tokenizer.bos]
    ids = [*start, *tokenizer.encode(prompt).tolist()] or tokenizer.encode("\n").tolist()
    length = card.spec["tokens"].shape[0] - 1  # the last place of a row was never asked for a next token

    @jax.jit
    def draw(variables, row, count, key):
        segments = (jnp.arange(length) < count).astype(jnp.int32)
        inputs = readout.prepare({"tokens": row, "segments": segments})
        logits = readout.apply(*variables, jax.tree.map(lambda x: x[None], inputs)).pooled[0].astype(jnp.float32)
        if top_k:
            logits = jnp.where(logits < jax.lax.top_k(logits, min(top_k, len(logits)))[0][-1], -jnp.inf, logits)
        return jax.random.categorical(key, logits / temperature) if temperature else jnp.argmax(logits)

    key, first = jax.random.key(seed), len(ids)
    for number in range(tokens):
        seen = np.zeros(length, np.int32)
        window = ids[-length:]
        seen[: len(window)] = window
        ids.append(int(draw(variables, seen, len(window), jax.random.fold_in(key, number))))
        if ids[-1] == tokenizer.eos:
            break
    return prompt + tokenizer.decode(ids[first:])
