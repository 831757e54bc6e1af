# %% [markdown]
# # Reports
#
# One HTML file that needs no network, the card of a notebook, and charts to customise and save.

# %%
import importlib.util
import tempfile
from pathlib import Path

from clusterexplain import ClusterExplainer, load_dataset

wine = load_dataset("wine")
ce = ClusterExplainer(n_clusters=3, latent_dim=4, n_steps=400, random_state=0).fit(wine)
e = ce.explain([ce.data_.ids[abs(ce.margins_).argmin()]])
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## The page, with an own way to show a row
#
# `render` returns text or a picture. Whatever it returns is shown as it is, never run.


# %%
def render(row, position):
    """Describe a wine by two of its columns."""
    known = dict(zip(wine.feature_names, row, strict=True))
    return f"alcohol {known['alcohol']:+.1f}, hue {known['hue']:+.1f} (standardised)"


page = e.report(folder / "why.html", render=render)
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# ## Charts
#
# Each is an Altair chart; the tables behind them are the same that the page lists.

# %%
chart = e.plot.waterfall().properties(width=700, title="What would it take?")
if importlib.util.find_spec("vl_convert"):  # the extra "export"
    chart.save(folder / "waterfall.svg")
by_class = e.by("target")
print(by_class[["group", "n", "influence", "low", "high"]])

# %% [markdown]
# ## The card
#
# A notebook shows it by itself. It is HTML without scripts.

# %%
card = e._repr_mimebundle_()["text/html"]
print(f"{len(card) / 1e3:.0f} KB")

# %%
text = page.read_text(encoding="utf-8")
assert "default-src 'none'" in text
assert "alcohol" in text
assert len(card) < 400_000
assert "<script" not in card
assert abs(by_class["influence"].sum() - e.influence.sum()) < 1e-9
