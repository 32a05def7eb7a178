"""What people say and what they hear, the same on every face; run on console, Slack and Discord alike.

The market is that of tests/commands/conftest.py. ``typed``: free text that a face with typed options cannot be given.
``chat``: about settings and roles, which only chat platforms have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and parts of its answer, in any order."""

    says: str
    hears: tuple[str, ...]
    language: Literal["en", "pt-BR"] = "en"
    only: Literal["", "typed", "chat"] = ""
    boss: bool = False


def _pt(says: str, *hears: str) -> Turn:
    return Turn(says, hears, "pt-BR")


def _typed(says: str, *hears: str) -> Turn:
    return Turn(says, hears, only="typed")


def _chat(says: str, *hears: str, boss: bool = False) -> Turn:
    return Turn(says, hears, only="chat", boss=boss)


DIALOGUES: tuple[Turn, ...] = (
    # prices now
    Turn("monitor", ("Spot prices", "7 models", "RTX A6000", "offers", "35 days of history")),
    Turn("monitor 4090", ("RTX 4090", "against its last 24 h")),
    Turn("monitor scope=all", ("7 models", "GPUs")),
    Turn("monitor limit=2", ("Spot prices",)),
    _typed("monitor l40s", "L40S"),
    _typed("/spot monitor “rtx 3090”", "RTX 3090"),
    # which GPU
    Turn("llm 7B", ("GPUs for 7B (lora)", "16.4 of", "tokens")),
    Turn("llm 70B", ("split over", "70B")),
    Turn("llm llama2-13b qlora $1", ("llama2-13b (qlora)", "an hour")),
    Turn("llm 70B inference min_vram=48GB", ("70B (inference)",)),
    Turn("llm 8x7B", ("8x7B",)),
    # a month's money
    Turn("fleet training $100", ("Fleet for training", "of $100.00", "AWS")),
    Turn("fleet inference $2000 high", ("Fleet for inference", "of $2,000.00")),
    _typed("fleet 500 training", "Fleet for training", "of $500.00"),
    # later
    Turn("predict RTX 4090", ("Price forecast: RTX 4090", "7-day median", "80%", "backtest")),
    Turn("predict h100 sxm", ("H100 SXM", "within ±5%")),
    _typed("predict rtx4090", "Price forecast: RTX 4090"),
    _typed("predict RTX4090", "Price forecast: RTX 4090"),
    _typed("predict gpu_name='rtx 4090'", "Price forecast: RTX 4090"),
    Turn("accuracy", ("Accuracy of the forecasts", "closer than “no change”", "last value")),
    Turn("accuracy RTX 4090", ("Accuracy of the forecasts: RTX 4090", "All models")),
    # where
    Turn("availability RTX 4090", ("Free GPUs: RTX 4090", "by region", "Asia-East")),
    Turn("availability H100 SXM gpus=4", ("machines of 4 or more",)),
    # training
    Turn("cost llama2-7b 50GB", ("Training llama2-7b (lora)", "save every", "AWS")),
    Turn("cost llama2-13b 4090", ("llama2-13b", "RTX 4090")),
    Turn("cost 70B full tokens=1e9", ("70B (full)",)),
    _typed("cost 50GB llama2-7b", "Training llama2-7b (lora)"),
    # against the clouds
    Turn("savings RTX 4090 100h", ("RTX 4090 for 100 h", "saved", "8,760 h", "GCP")),
    Turn("savings A100 PCIE 80GB", ("A100 PCIE 80GB", "Azure")),
    _typed("savings 100h 4090", "RTX 4090 for 100 h"),
    _typed("savings 4090 3d", "RTX 4090 for 72 h"),
    # interruptions
    Turn("reliability RTX 4090", ("run 24 h without interruption", "market-implied")),
    Turn("reliability H100 SXM", ("H100 SXM",)),
    Turn("interruptions", ("Interruptions", "Least interrupted", "observed")),
    Turn("interruptions 7d 4090", ("per day of running",)),
    Turn("windows RTX 4090", ("Safe windows: RTX 4090 (UTC)",)),
    Turn("windows RTX 4090 9h tz=America/Sao_Paulo", ("(America/Sao_Paulo)",)),
    # the past
    Turn("history RTX 4090", ("Price history: RTX 4090", "720 hours with a price", "lowest")),
    Turn("history RTX 4090 days=7", ("168 hours with a price",)),
    Turn("status", ("Status", "version", "complete 672")),
    # help
    Turn("help", ("What you can ask", "monitor", "windows", "settings me")),
    Turn("help cost", ("dataset_size", "for example: cost llama2-7b 50GB")),
    Turn("help windows", ("tz", "windows RTX 4090 9h")),
    _typed("predict help", "gpu_name", "for example: predict RTX 4090"),
    _typed("cost --help", "dataset_size"),
    # what cannot be answered, and what to do
    Turn("predict 4091", ("No GPU model called “4091”", "RTX 4090")),
    Turn("predict a100", ("may mean several models", "A100 PCIE 80GB", "A100 SXM4 80GB")),
    Turn("availability B300", ("Not enough data yet", "no sighting", "one complete poll")),
    Turn("cost llama9-7b", ("No language model called “llama9-7b”", "llama2-7b")),
    Turn("windows 4090 tz=Mars", ("no time zone of that name",)),
    _typed("history RTX 4090 days=9999", "between 1 and 396"),
    Turn("savings RTX 4090 0h", ("hours must lie between",)),
    Turn("help montor", ("no command “montor”", "monitor")),
    _typed("predikt 4090", "no command “predikt”", "predict"),
    _typed("predict", "predict needs gpu_name", "for example: predict RTX 4090"),
    _typed("fleet training", "fleet needs budget"),
    _typed("llm 7B max_price=abc", "“abc” does not fit", "USD"),
    _typed("monitor color=red", "has no parameter “color”", "scope"),
    _typed("predict gpu_name=a gpu_name=b", "given twice"),
    _typed("savings 4090 100h 4090", "was not understood"),
    _typed("x" * 1001, "1,001 characters long"),
    # in Portuguese
    _pt("monitor", "Preços spot", "35 dias de histórico"),
    _pt("llm 7B", "GPUs para 7B"),
    _pt("fleet training $100", "$100,00", "AWS"),
    _pt("predict RTX 4090", "RTX 4090", "mediana"),
    _pt("accuracy", "Acurácia das previsões", "sem mudança"),
    _typed("acurácia", "Accuracy of the forecasts"),
    _pt("availability RTX 4090", "RTX 4090", "região"),
    _pt("cost llama2-7b 50GB", "llama2-7b", "AWS"),
    _pt("savings RTX 4090 100h", "8.760 h"),
    _pt("reliability RTX 4090", "24 h sem interrupção"),
    _pt("interruptions", "Interrupções"),
    _pt("windows RTX 4090", "RTX 4090"),
    _pt("history RTX 4090", "720 horas"),
    _pt("status", "versão"),
    _pt("help", "O que você pode perguntar"),
    _pt("predict 4091", "4091", "RTX 4090"),
    _pt("availability B300", "Ainda não há dados suficientes"),
    # settings
    _chat("settings show", "This holds for you", "language"),
    _chat("settings me home=Berlin,DE gpus=l40s", "Saved.", "L40S"),
    _chat("settings show", "Berlin,DE"),
    _chat("monitor", "L40S"),
    _chat("settings me language=fr", "choose one of those"),
    _chat("settings me tz=Mars", "no time zone of that name"),
    _chat("settings forget", "Saved."),
    _chat("settings team language=en", "manager"),
    _chat("settings team language=en", "Saved.", boss=True),
)
