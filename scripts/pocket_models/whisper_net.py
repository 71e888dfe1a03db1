"""Owns the network while it learns: Whisper's architecture with two extra outputs that only training looks at.

Parameter names are those of ``transformers.WhisperForConditionalGeneration``, so a trained state loads there as it is.
The own forward pass exists because the library's insists on full 30 s windows, and because training wants to see the
cross-attention (to teach it where each word sounds) and a phoneme guess for each encoder frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody reads
from torch import Tensor, nn

MELS = 80
POSITIONS = 500
"""Encoder positions, each 20 ms and two mel frames: windows of up to 10 s."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of the network."""

    vocabulary: int
    width: int = 192
    heads: int = 4
    encoder_layers: int = 3
    decoder_layers: int = 2
    positions: int = POSITIONS
    target_positions: int = 448
    mels: int = MELS
    phonemes: int = 64


@dataclass(frozen=True, slots=True)
class Outputs:
    """One forward pass over B utterances, T encoder positions, N tokens.

    ``logits`` [B, N, vocabulary]; ``phonemes`` [B, T, phonemes], logits too; ``attention``: for each decoder layer the
    cross-attention weights of head 0, [B, N, T].
    """

    logits: Tensor
    phonemes: Tensor
    attention: tuple[Tensor, ...]


class Attention(nn.Module):
    """Multi-head attention with Whisper's biases (none on the keys)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def project(self, x: Tensor, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries of ``x``, keys and values of ``source``, each [B, heads, length, width / heads]."""
        return self._split(self.q_proj(x)), self._split(self.k_proj(source)), self._split(self.v_proj(source))

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, x: Tensor, *, causal: bool = False) -> Tensor:
        """Attend from ``x`` to itself."""
        q, k, v = self.project(x, x)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def look(self, x: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Attend from ``x`` to ``source``; also return head 0's weights [B, N, T]."""
        q, k, v = self.project(x, source)
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        return self.out_proj((weights @ v).transpose(1, 2).flatten(2)), weights[:, 0]


class Layer(nn.Module):
    """A pre-norm transformer layer, with cross-attention in the decoder."""

    def __init__(self, width: int, heads: int, *, decoder: bool) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        if decoder:
            self.encoder_attn = Attention(width, heads)
            self.encoder_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def encode(self, x: Tensor) -> Tensor:
        """Run as an encoder layer."""
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        return self._feed_forward(x)

    def decode(self, x: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Run as a decoder layer; also return head 0's cross-attention."""
        x = x + self.self_attn(self.self_attn_layer_norm(x), causal=True)
        looked, weights = self.encoder_attn.look(self.encoder_attn_layer_norm(x), source)
        return self._feed_forward(x + looked), weights

    def _feed_forward(self, x: Tensor) -> Tensor:
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Mel frames to one vector for each 20 ms."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(shape.mels, shape.width, 3, padding=1)
        self.conv2 = nn.Conv1d(shape.width, shape.width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(
            shape.positions, shape.width, _weight=_sinusoids(shape.positions, shape.width)
        )
        self.embed_positions.weight.requires_grad_(False)
        layers = (Layer(shape.width, shape.heads, decoder=False) for _ in range(shape.encoder_layers))
        self.layers = nn.ModuleList(layers)
        self.layer_norm = nn.LayerNorm(shape.width)

    def forward(self, mel: Tensor) -> Tensor:
        """Encode [B, mels, frames] to [B, frames / 2, width]."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.embed_positions.weight[: x.shape[1]]
        for layer in self.layers:
            assert isinstance(layer, Layer)
            x = layer.encode(x)
        return self.layer_norm(x)  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Tokens, and where to look in the encoder's output, to the next tokens."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.embed_positions = nn.Embedding(shape.target_positions, shape.width)
        layers = (Layer(shape.width, shape.heads, decoder=True) for _ in range(shape.decoder_layers))
        self.layers = nn.ModuleList(layers)
        self.layer_norm = nn.LayerNorm(shape.width)

    def forward(self, tokens: Tensor, source: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Decode tokens [B, N]; return logits and each layer's cross-attention of head 0."""
        x = self.embed_tokens(tokens) + self.embed_positions.weight[: tokens.shape[1]]
        attention = []
        for layer in self.layers:
            assert isinstance(layer, Layer)
            x, weights = layer.decode(x, source)
            attention.append(weights)
        return self.layer_norm(x) @ self.embed_tokens.weight.T, tuple(attention)


class WhisperNet(nn.Module):
    """Whisper with a phoneme head; `checkpoint` gives the state that the real architecture loads."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = nn.ModuleDict({"encoder": Encoder(shape), "decoder": Decoder(shape)})
        self.phoneme_head = nn.Linear(shape.width, shape.phonemes)
        self.apply(_initialise)

    def forward(self, mel: Tensor, tokens: Tensor) -> Outputs:
        """Run teacher-forced: ``mel`` [B, mels, frames], ``tokens`` [B, N] are the decoder's inputs."""
        encoded = self.model["encoder"](mel)
        logits, attention = self.model["decoder"](tokens, encoded)
        return Outputs(logits, self.phoneme_head(encoded), attention)

    def checkpoint(self) -> dict[str, Tensor]:
        """Return a copy of the state without the training-only head, under the library's names."""
        state = {k: v.detach().clone() for k, v in self.state_dict().items() if not k.startswith("phoneme_head")}
        return {**state, "proj_out.weight": state["model.decoder.embed_tokens.weight"]}


def _sinusoids(length: int, channels: int) -> Tensor:
    step = math.log(10_000) / (channels // 2 - 1)
    inverse = torch.exp(-step * torch.arange(channels // 2))
    angles = torch.arange(length)[:, None] * inverse[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Embedding) and module.weight.requires_grad:
        nn.init.normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02 if module.in_features > 400 else 0.05)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
