"""Make the example runs in `examples/qa`: three answers of a small assistant to the same twenty questions.

`baseline` is what was committed, `accepted` a change that only improves, `current` one that looks better on average and
breaks some answers. Run it from anywhere: `python examples/make_qa.py`. The bytes are always the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

from runstore import Dataset, Identity, MetricDeclaration, RunWriter

QUESTIONS = [
    # id, language, topic, question, expected answer
    ("capital-australia", "en", "geography", "What is the capital of Australia?", "Canberra"),
    ("capital-turkey", "en", "geography", "What is the capital of Türkiye?", "Ankara"),
    ("longest-river-europe", "en", "geography", "Which is the longest river in Europe?", "The Volga"),
    ("highest-alps", "en", "geography", "Which is the highest mountain of the Alps?", "Mont Blanc"),
    ("boiling-point", "en", "science", "At how many degrees Celsius does water boil at sea level?", "100"),
    ("planet-rings", "en", "science", "Which planet has the most prominent rings?", "Saturn"),
    ("speed-of-light", "en", "science", "How fast is light in vacuum, in km/s?", "299,792"),
    ("chemical-gold", "en", "science", "What is the chemical symbol of gold?", "Au"),
    ("refund-window", "en", "policy", "How long can I return a pair of shoes?", "30 days with the receipt"),
    ("refund-opened", "en", "policy", "Can I return opened headphones?", "Only if they are faulty"),
    ("shipping-island", "en", "policy", "Do you ship to the islands?", "Yes, it takes two days longer"),
    ("warranty-battery", "en", "policy", "Is the battery covered by the warranty?", "Yes, for one year"),
    ("hauptstadt-schweiz", "de", "geography", "Welche Stadt ist Sitz der Schweizer Regierung?", "Bern"),
    ("laengster-fluss", "de", "geography", "Welcher Fluss fließt durch Köln?", "Der Rhein"),
    ("siedepunkt", "de", "science", "Bei wie viel Grad Celsius siedet Wasser auf Meereshöhe?", "100"),
    ("symbol-silber", "de", "science", "Was ist das chemische Symbol von Silber?", "Ag"),
    ("rueckgabe", "de", "policy", "Wie lange kann ich Schuhe zurückgeben?", "30 Tage mit Kassenbon"),
    ("rueckgabe-offen", "de", "policy", "Kann ich geöffnete Kopfhörer zurückgeben?", "Nur wenn sie defekt sind"),
    ("versand-insel", "de", "policy", "Liefern Sie auf die Inseln?", "Ja, es dauert zwei Tage länger"),
    ("garantie-akku", "de", "policy", "Deckt die Garantie den Akku?", "Ja, ein Jahr lang"),
]
# What the assistant said, where it is not the expected answer: (answer, exact match, graded quality).
WRONG_AT_FIRST = {
    "longest-river-europe": ("The Danube", 0, 0.1),
    "speed-of-light": ("About 300,000", 0, 0.6),
    "shipping-island": ("I am not sure. Please ask our support.", 0, 0.2),
    "refund-opened": ("Only if faulty", 0, 0.9),
    "laengster-fluss": ("Die Elbe", 0, 0.1),
    "versand-insel": ("Das weiß ich leider nicht.", 0, 0.2),
    "siedepunkt": ("Etwa 100", 0, 0.8),
}
BROKEN_LATER = {
    "refund-window": ("30 days, and you do not need the receipt", 0, 0.3),
    "rueckgabe": ("30 Tage, auch ohne Kassenbon", 0, 0.3),
    "speed-of-light": ("About 300,000", 0, 0.6),
}


def write(folder: Path, *, prompt: str, wrong: dict[str, tuple[str, int, float]], failed: frozenset[str]) -> None:
    """Write one run of the assistant; `failed` are the questions at which it gave no answer at all."""
    identity = Identity(
        project="shop-assistant",
        suite="qa",
        name="nightly",
        params={"model": "small-instruct-2", "assistant": prompt, "temperature": 0},
        datasets=[Dataset(name="shop-qa", digest="sha256:6f0a2c", version="2")],
    )
    metrics = {
        "exact_match": MetricDeclaration(direction="higher", range=(0, 1)),
        "quality": MetricDeclaration(direction="higher", range=(0, 1)),
    }
    with RunWriter(folder, identity=identity, metrics=metrics, slices=["lang"], replace=True) as run:
        for key, lang, topic, question, expected in QUESTIONS:
            record = {"id": key, "input": question, "tags": {"lang": lang, "topic": topic}, "target": expected}
            if key in failed:
                reason = {"type": "Timeout", "message": "no answer within 30 s"}
                run.append({**record, "status": "error", "reason": reason})
            else:
                answer, match, quality = wrong.get(key, (expected, 1, 1))
                run.append({**record, "output": answer, "scores": {"exact_match": match, "quality": quality}})


def main(folder: Path) -> None:
    """Write the three runs below `folder`."""
    write(folder / "baseline", prompt="v7", wrong=WRONG_AT_FIRST, failed=frozenset())
    better = {key: value for key, value in WRONG_AT_FIRST.items() if key not in ("longest-river-europe", "siedepunkt")}
    write(folder / "accepted", prompt="v8", wrong=better, failed=frozenset())
    write(folder / "current", prompt="v9", wrong=BROKEN_LATER, failed=frozenset({"garantie-akku"}))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "qa")
