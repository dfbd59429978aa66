"""What mail programs write around a reply, in the languages of the federation, and what we write ourselves."""

import re
from typing import Final

MARKER: Final = "##- "
"""Begins the first line of every mail of ours: replies are written above it."""
MARKER_LINE: Final = f"{MARKER}Please write your answer above this line. -##"

ATTRIBUTIONS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"on .{4,300} wrote\s?:$",
        r"am .{4,300} schrieb.{0,120}:$",
        r".{4,200} schrieb am .{4,120}:$",
        r"le .{4,300} a écrit\s?:$",
        r"el .{4,300} escribió\s?:$",
        r"il .{4,300} ha scritto\s?:$",
        r"em .{4,300} escreveu\s?:$",
        r"op .{4,300} schreef.{0,120}:$",
        r".{4,300} (?:napisał(?:a|\(a\))?|pisze)\s?:$",
        r"(?:dne )?.{4,300} napsala?\s?:$",
        r".{4,300} (?:пишет|написал(?:а|\(а\))?)\s?:$",  # noqa: RUF001 - Russian
        r"den .{4,300} skrev.{0,120}:$",
        r".{4,300} tarihinde .{2,200} şunu yazdı\s?:$",  # noqa: RUF001 - Turkish
        r".{4,200}\d{1,2}[:.]\d\d,? .{1,120}<[^<>\s]{3,200}@[^<>\s]{3,200}>\s?:$",
        r".{4,300}のメール\s?:$",
    )
)
"""Lines above a quotation. Bounded everywhere, and asked only of lines that end in a colon."""

ORIGINAL: Final = frozenset({
    "original message", "originalnachricht", "ursprüngliche nachricht", "message d'origine",
    "message original", "mensaje original", "messaggio originale", "mensagem original",
    "oorspronkelijk bericht", "wiadomość oryginalna", "původní zpráva", "исходное сообщение",
    "ursprungligt meddelande", "oprindelig meddelelse", "opprinnelig melding",
})  # fmt: skip
FORWARDED: Final = frozenset({
    "forwarded message", "weitergeleitete nachricht", "message transféré", "mensaje reenviado",
    "messaggio inoltrato", "doorgestuurd bericht", "пересланное сообщение",
})  # fmt: skip

SENDER_LABELS: Final = frozenset({
    "from", "von", "de", "da", "van", "od", "от", "från", "fra", "kimden", "差出人", "发件人",
})  # fmt: skip
HEADER_LABELS: Final = frozenset({
    "sent", "to", "cc", "subject", "date",
    "gesendet", "an", "betreff", "datum",
    "envoyé", "à", "objet",
    "enviado", "enviado el", "para", "asunto", "assunto", "fecha", "data",
    "inviato", "a", "oggetto",
    "verzonden", "aan", "onderwerp",
    "wysłano", "do", "dw", "temat",
    "odesláno", "komu", "předmět",
    "отправлено", "кому", "тема", "дата",
    "skickat", "till", "ämne", "sendt", "til", "emne",
    "送信日時", "宛先", "件名", "发送时间", "收件人", "主题",
})  # fmt: skip
