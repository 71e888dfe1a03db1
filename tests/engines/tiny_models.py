"""Makes models of the real architectures with random weights: they say nonsense, through all of the real code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = (
    "hello there this is the phone agent do you have a minute yes no i am not interested in what you sell "
    "how much does it cost call me back on friday at half past ten please thank you goodbye"
)


def _byte_level_tokenizer(size: int, special: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
        show_progress=False,
    )
    tokenizer.train_from_iterator([WORDS], trainer)
    tokenizer.add_special_tokens(special)
    return tokenizer


def make_whisper(folder: Path, *, positions: int = 1500) -> Path:
    """Make an English-only CTranslate2 Whisper; ``positions`` of 20 ms each bound its window."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import GenerationConfig, PreTrainedTokenizerFast, WhisperConfig, WhisperForConditionalGeneration

    tokenizer = _byte_level_tokenizer(320, ["<|endoftext|>"])
    tokenizer.add_special_tokens(
        [
            "<|startoftranscript|>",
            "<|translate|>",
            "<|transcribe|>",
            "<|startoflm|>",
            "<|startofprev|>",
            "<|nocaptions|>",
            "<|notimestamps|>",
        ]
    )
    tokenizer.add_tokens([f"<|{step * 0.02:.2f}|>" for step in range(1501)])
    end = tokenizer.token_to_id("<|endoftext|>")
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=tokenizer.get_vocab_size(),
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            max_source_positions=positions,
            pad_token_id=end,
            bos_token_id=end,
            eos_token_id=end,
            decoder_start_token_id=tokenizer.token_to_id("<|startoftranscript|>"),
        )
    )
    # Words only: left alone, random weights mostly "say" timestamps, of which nothing is left in the text.
    model.generation_config = GenerationConfig(
        suppress_tokens=list(range(end + 1, tokenizer.get_vocab_size())), begin_suppress_tokens=[end]
    )
    model.generation_config.alignment_heads = [[1, 0]]
    source = folder / "source"
    model.save_pretrained(source)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(source)
    (source / "preprocessor_config.json").write_text(json.dumps({"feature_size": 80, "chunk_length": 30}))
    converter = TransformersConverter(str(source), copy_files=["tokenizer.json", "preprocessor_config.json"])
    converter.convert(str(folder / "model"), quantization="int8")
    return folder / "model"


CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is false and thinks %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


TOOL_TEMPLATE = (
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
    + CHAT_TEMPLATE
)


def make_qwen(
    folder: Path,
    *,
    family: str = "qwen2",
    context: int = 2048,
    template: str = CHAT_TEMPLATE,
    tags: tuple[str, ...] = (),
) -> Path:
    """Make a chat model of the architecture ``qwen2`` or ``qwen3``; ``tags`` become tokens of their own."""
    import torch
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

    tokenizer = _byte_level_tokenizer(400, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(["<think>", "</think>", *tags])
    shape = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
        "initializer_range": 0.3,  # far from flat, so that the likeliest token is not a matter of rounding
    }
    torch.manual_seed(1)
    model: Any = (
        Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=True))
        if family == "qwen2"
        else Qwen3ForCausalLM(Qwen3Config(**shape, head_dim=16, tie_word_embeddings=True))
    )
    model.save_pretrained(folder)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>")
    fast.chat_template = template
    fast.save_pretrained(folder)
    return folder
