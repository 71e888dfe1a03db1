"""How pocket-qwen is trained: calls as tokens, the shared system prompt, checkpoints, the exported model."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.pocket_models.dialogues import default_playbook, dialogues
from scripts.pocket_models.policy import Reply

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
train_qwen = pytest.importorskip("scripts.pocket_models.train_qwen")
evaluate_qwen = pytest.importorskip("scripts.pocket_models.evaluate_qwen")
muon = pytest.importorskip("scripts.pocket_models.muon")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_qwen.build_tokenizer(calls=100)


def test_a_call_is_encoded_as_the_chat_template_writes_it(tokenizer: PreTrainedTokenizerFast) -> None:
    for call in islice(dialogues(12), 20):
        example = train_qwen.encode(call, tokenizer)
        templated = tokenizer.apply_chat_template(call.messages(), return_dict=True)["input_ids"]
        assert example.prompt + example.ids == templated[: train_qwen.CONTEXT_TOKENS]


def test_only_whole_replies_are_learnt(tokenizer: PreTrainedTokenizerFast) -> None:
    for call in islice(dialogues(13), 20):
        example = train_qwen.encode(call, tokenizer)
        learnt = tokenizer.decode([label for label in example.labels if label != train_qwen.IGNORED])
        whole = [turn.said for turn in call.turns if not (turn.interrupted or turn.fixed)]
        assert learnt == "".join(f"{said}<|im_end|>" for said in whole)


def test_the_default_prompt_leaves_room_for_a_long_call(tokenizer: PreTrainedTokenizerFast) -> None:
    assert len(tokenizer(default_playbook().system_prompt())["input_ids"]) < train_qwen.CONTEXT_TOKENS / 3


def test_a_shared_system_prompt_gives_the_loss_of_separate_calls(tokenizer: PreTrainedTokenizerFast) -> None:
    model = train_qwen.Trainer(tokenizer).model
    batch = next(train_qwen.batches(tokenizer, seed=1, chunk=0))[:4]
    total, count = 0.0, 0
    judged: list[tuple[float, int]] = []
    with torch.inference_mode():
        shared = train_qwen.loss_of(model, batch).item()
        for example in batch:
            logits = model(torch.tensor([example.prompt + example.ids])).logits[0, len(example.prompt) : -1]
            labels = torch.tensor(example.labels[1:])
            total += torch.nn.functional.cross_entropy(
                logits, labels, ignore_index=train_qwen.IGNORED, reduction="sum"
            ).item()
            count += int((labels != train_qwen.IGNORED).sum())
            ended = logits.softmax(-1)[:, tokenizer.eos_token_id].tolist()
            judged += [(p, end) for p, end in zip(ended, example.ends, strict=False) if end != train_qwen.IGNORED]
    end_loss = -sum(math.log(p if end else 1 - p) for p, end in judged) / len(judged)
    assert shared == pytest.approx(total / count + train_qwen.END_WEIGHT * end_loss, abs=1e-4)


def test_behind_each_of_the_callers_words_stands_whether_the_message_ends_there(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    call = next(dialogues(seed=5))
    example = train_qwen.encode(call, tokenizer)
    marked = [
        (tokenizer.decode([token]), end) for token, end in zip(example.ids, example.ends, strict=True) if end >= 0
    ]
    assert sum(end for _, end in marked) == len(call.turns)
    said = "".join(text + ("|" if end else "") for text, end in marked)
    assert said.split("|")[0].strip() == call.turns[0].heard.rstrip(".?")


def test_training_goes_on_from_its_checkpoint(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    trainer = train_qwen.Trainer(tokenizer)
    trainer.step, trainer.chunk, trainer.trained_s = 30, 2, 61.5
    trainer.save(tmp_path / "qwen.pt")
    resumed = train_qwen.Trainer(tokenizer, seed=1)
    resumed.load(tmp_path / "qwen.pt")
    assert (resumed.step, resumed.chunk, resumed.trained_s) == (30, 2, 61.5)
    assert torch.equal(resumed.model.lm_head.weight, trainer.model.lm_head.weight)


def test_the_exported_model_loads_by_the_ordinary_way(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    train_qwen.Trainer(tokenizer).export(tmp_path / "qwen")
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path / "qwen")
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "qwen")
    assert model.config.model_type == "qwen2"
    assert model.config.max_position_embeddings == train_qwen.CONTEXT_TOKENS
    assert loaded.eos_token == "<|im_end|>"
    text = "I'm sure it won't, that's o'clock e-mail. Goodbye. [END_CALL]<|im_end|>\n"
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert (tmp_path / "qwen" / "model.safetensors").stat().st_size < 10_000_000


def test_muon_pushes_all_singular_values_towards_one() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(muon.orthogonal(torch.randn(24, 64)))
    assert 0.5 < values.min() <= values.max() < 1.5


def test_a_reply_with_wrong_values_still_has_the_right_intent() -> None:
    reply = Reply("booked", {"day": "Tuesday", "time": "noon"}, ("Great, Tuesday at noon. Is that right?",))
    assert evaluate_qwen.is_right_intent(reply, "Great, Monday at ten. Is that right?")
    assert not evaluate_qwen.is_right_intent(reply, "Great, Monday at ten.")
