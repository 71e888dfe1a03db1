"""Owns the way of a trained network to the directory that ``faster_whisper.WhisperModel`` loads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from scripts.pocket_models.whisper_batches import PAD_S, SPECIAL, WINDOW_S, Codec
from scripts.pocket_models.whisper_net import Shape, WhisperNet


def export(net: WhisperNet, codec: Codec, out: Path, work: Path) -> None:
    """Convert to an int8 CTranslate2 directory; ``out`` is replaced in one move.

    ``work`` keeps the intermediate checkpoint in the Transformers format.
    """
    from ctranslate2.converters import TransformersConverter

    plain, converted = work / "transformers", work / "converted"
    for folder in (plain, converted):
        shutil.rmtree(folder, ignore_errors=True)
    _save_transformers(net, codec, plain)
    converter = TransformersConverter(str(plain), copy_files=["tokenizer.json", "preprocessor_config.json"])
    converter.convert(str(converted), quantization="int8", force=True)
    _write(converted / "telephony_agent.json", {"window_s": list(WINDOW_S), "pad_s": PAD_S})
    _replace(converted, out)


def _save_transformers(net: WhisperNet, codec: Codec, folder: Path) -> None:
    from transformers import GenerationConfig, WhisperForConditionalGeneration

    config = _config(net.shape, codec)
    whole = WhisperForConditionalGeneration(config)
    whole.load_state_dict(net.checkpoint())
    # Nothing is suppressed: the model has learnt to end at once where nobody spoke.
    whole.generation_config = GenerationConfig(
        decoder_start_token_id=config.decoder_start_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        suppress_tokens=[],
        begin_suppress_tokens=[],
    )
    # The heads that training taught where each word sounds.
    whole.generation_config.alignment_heads = [[layer, 0] for layer in range(net.shape.decoder_layers)]
    whole.save_pretrained(folder)
    codec.tokenizer.save(str(folder / "tokenizer.json"))
    special = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), SPECIAL[0])
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **special})
    _write(
        folder / "preprocessor_config.json",
        {"feature_size": net.shape.mels, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30, "n_fft": 400},
    )


def _config(shape: Shape, codec: Codec) -> Any:
    from transformers import WhisperConfig

    end = codec["<|endoftext|>"]
    return WhisperConfig(
        vocab_size=shape.vocabulary,
        num_mel_bins=shape.mels,
        d_model=shape.width,
        encoder_layers=shape.encoder_layers,
        decoder_layers=shape.decoder_layers,
        encoder_attention_heads=shape.heads,
        decoder_attention_heads=shape.heads,
        encoder_ffn_dim=4 * shape.width,
        decoder_ffn_dim=4 * shape.width,
        max_source_positions=shape.positions,
        max_target_positions=shape.target_positions,
        decoder_start_token_id=codec["<|startoftranscript|>"],
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        suppress_tokens=[],
        begin_suppress_tokens=[],
    )


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


def _replace(new: Path, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    beside, old = out.with_name(f".{out.name}.new"), out.with_name(f".{out.name}.old")
    for folder in (beside, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(new, beside)
    if out.exists():
        out.rename(old)
    beside.rename(out)
    shutil.rmtree(old, ignore_errors=True)
