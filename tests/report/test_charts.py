"""Charts: valid, the same twice, with the numbers of their frames, and inert whatever the texts are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterexplain.report import charts
from clusterexplain.report.charts import theme, waterfall

EVIL = "</script><script>alert(1)</script>\\\"'`${datum}{{x}}\u202e\u200f\U0001f600\u2028" + "x" * 10_000
MARK = "alert(1)"
PICTURE = "data:image/png;base64,iVBORw0KGgo="
Frames = dict[str, pd.DataFrame]


def map_frames() -> Frames:
    points = pd.DataFrame(
        {
            "id": [f"d{i}" for i in range(6)],
            "cluster": ["cluster 10", "cluster 2", 'cluster 4 "nines"', "noise", "cluster 2", "cluster 10"],
            "x": np.arange(6.0),
            "y": [0.5, -1.0, 2.0, 3.0, 1.5, 0.0],
            "margin": [0.1, np.nan, -0.2, 0.3, 0.4, 0.5],
            "row": "a snippet",
            "image": PICTURE,
        }
    )
    highlights = points.iloc[:4].drop(columns="margin").assign(
        pulls=[True, True, False, False], size=[0.3, 0.2, 0.2, 0.1], if_removed=[-0.3, -0.2, 0.2, 0.1],
        if_removed_percent=[-30.0, -20.0, np.nan, 10.0],
    )  # fmt: skip
    highlights["side"] = np.where(highlights["pulls"], "pulled in", "pushed away")
    return {
        "points": points,
        "highlights": highlights,
        "links": pd.DataFrame({"id": ["d1", "d2"], "x": 4.0, "y": 1.5, "x2": [1.0, 2.0], "y2": [-1.0, 2.0]}),
        "label_positions": pd.DataFrame({"cluster": ["cluster 2"], "label": ["2"], "x": [2.5], "y": [0.25]}),
        "sample": points.loc[[4], ["id", "x", "y", "image"]],
    }


def influence_frames() -> Frames:
    parts = np.array([[0.3, 0.1, 0.1], [0.2, -0.05, 0.05], [-0.1, 0.02, -0.1]])
    total = parts.sum(axis=1)
    listed = pd.DataFrame(
        {
            "rank": [1, 2, 3], "id": ["a", "b", "c"], "cluster": "cluster 1", "pulls": total > 0,
            "side": np.where(total > 0, "pulled in", "pushed away"), "influence": total, "encoder": parts[:, 0],
            "cluster_part": parts[:, 1], "direct": parts[:, 2], "if_removed": -total, "if_removed_percent": -100 * total,
            "row": "a snippet", "image": PICTURE,
        }
    )  # fmt: skip
    return {"listed": listed}


def waterfall_frames() -> Frames:
    after = np.array([0.2, 0.05, -0.1])
    steps = pd.DataFrame(
        {
            "removed": [1, 2, 3], "id": ["a", "b", "c"], "called": ["a (itself)", "b", "c"], "before": [0.3, *after[:-1]],
            "after": after, "pulls": True,
        }
    )  # fmt: skip
    retrained = pd.DataFrame(
        {
            "removed": [2, 2, 3], "what": ["top pullers", "random", "others"], "predicted": [0.05, 0.3, -0.1],
            "assignments": ["labels kept", "clustering continued", "labels kept"], "margin": [0.07, 0.29, -0.2],
            "low": [0.0, np.nan, -0.3], "high": [0.1, np.nan, -0.1],
        }
    )  # fmt: skip
    flip = pd.DataFrame({"removed": [2.3], "margin": [0.0]})
    return {"steps": steps.assign(image=PICTURE), "retrained": retrained, "flip": flip}


def groups_frames() -> Frames:
    influence = np.array([0.02, -0.3, 0.1])
    frame = pd.DataFrame(
        {
            "group": ["a", "b", "c"], "n": [3, 10, 20], "influence": influence, "low": [np.nan, -0.4, 0.05],
            "high": [np.nan, -0.2, 0.15], "if_removed": -influence, "pull_share": [0.2, 0.0, 0.8],
            "push_share": [0.0, 1.0, 0.0], "size_share": [0.1, 0.3, 0.6],
        }
    )  # fmt: skip
    return {"frame": frame}


def check_frames() -> Frames:
    table = pd.DataFrame(
        {
            "query": ["q", "q", "q", "r"], "kind": ["single", "top pullers", "new kind", "group"],
            "assignments": ["labels kept", "clustering continued"] * 2, "n_removed": [1, 10, 3, 5],
            "predicted": [0.01, -0.2, 0.03, 0.1], "retrained": [0.02, -0.15, 0.01, 0.12],
        }
    )  # fmt: skip
    return {"table": table}


def heat_frames(n: int = 3) -> Frames:
    target, source = (axis.ravel() for axis in np.indices((n, n)))
    influence = np.where(target == source, 0.4, -0.03 * (1 + source))
    frame = pd.DataFrame(
        {
            "target": [f"cluster {i}" for i in target], "source": [f"cluster {i}" for i in source],
            "target_rank": target, "source_rank": source, "influence": influence, "if_removed": -influence, "n": 7,
        }
    )  # fmt: skip
    return {"frame": frame}


def stability_frames() -> Frames:
    samples = pd.DataFrame(
        {"id": list("abc"), "cluster": ["cluster 1", "noise", "cluster 1"], "share": [0.9, np.nan, 0.5]}
    )
    return {"samples": samples, "chosen": samples.iloc[[2]].assign(image=PICTURE)}


def cluster_stability_frames() -> Frames:
    clusters = pd.DataFrame(
        {
            "cluster": ["cluster 0", "cluster 1"], "size": [5, 9], "jaccard": [np.nan, 0.8], "low": [np.nan, 0.7],
            "high": [np.nan, 0.9], "verdict": ["untested", "stable"],
        }
    )  # fmt: skip
    return {"clusters": clusters}


def distance_frames(field: str = "distance") -> Frames:
    roles = ["compared with", "own", "other"]
    return {"frame": pd.DataFrame({"cluster": ["c1", "c0", "c2"], field: [0.3, 0.6, 0.1], "role": roles})}


def tree_frames() -> Frames:
    nodes = pd.DataFrame(
        {
            "node": [0, 1, 2], "cluster": ["", "cluster 0", "cluster 1"], "left": [0.0, 0.0, 60.0],
            "right": [100.0, 60.0, 100.0], "birth": [0.1, 0.5, 0.5], "death": [0.5, 1.5, 0.9], "size": [100, 60, 40],
        }
    )  # fmt: skip
    return {"nodes": nodes, "sample": pd.DataFrame({"id": ["7"], "x": [20.0], "lambda": [0.8], "image": [PICTURE]})}


MAKE: dict[str, Callable[[], Frames]] = {
    "map": map_frames,
    "influence": influence_frames,
    "waterfall": waterfall_frames,
    "groups": groups_frames,
    "check": check_frames,
    "heatmap": heat_frames,
    "stability": stability_frames,
    "cluster_stability": cluster_stability_frames,
    "distances": distance_frames,
    "responsibilities": lambda: distance_frames("membership"),
    "tree": tree_frames,
}
PICTURED = ("map", "influence", "waterfall", "stability", "tree")
every_chart = pytest.mark.parametrize("name", MAKE)


def spec_of(name: str, frames: Frames, **options: Any) -> dict[str, Any]:
    first, *others = frames
    draw = getattr(charts, f"{name}_chart")
    return draw(frames[first], **{other: frames[other] for other in others}, **options).to_dict()


def walk(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every (key, leaf) below a node; the entries of a list have the key of the list."""
    pairs = node.items() if isinstance(node, dict) else ((key, one) for one in node) if isinstance(node, list) else ()
    for name, value in pairs:
        yield name, value
        yield from walk(value, name)


def views(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the views by their names."""
    return {value["name"]: value for _, value in walk(spec) if isinstance(value, dict) and "encoding" in value}


def rows_of(spec: dict[str, Any], view: str) -> list[dict[str, Any]]:
    found = views(spec)[view]
    return spec["datasets"][found.get("data", spec.get("data"))["name"]]


def compiled(spec: dict[str, Any]) -> dict[str, Any]:
    vl_convert = pytest.importorskip("vl_convert")
    return vl_convert.vegalite_to_vega(spec, vl_version=version())


def version() -> str:
    """Return the version that the specifications are written for, which the converter must know."""
    vl_convert = pytest.importorskip("vl_convert")
    import altair as alt

    wanted = re.match(r"v(\d+\.\d+)", alt.SCHEMA_VERSION)[1]
    known = vl_convert.get_vegalite_versions()
    return wanted if wanted in known else known[-1]


@every_chart
def test_the_same_frames_give_the_same_bytes(name: str) -> None:
    first, second = (json.dumps(spec_of(name, MAKE[name]()), sort_keys=True) for _ in range(2))
    assert first == second
    assert not re.search(r'"(view|param)_[0-9a-f]+"', first)


@every_chart
def test_vega_draws_it(name: str) -> None:
    vl_convert = pytest.importorskip("vl_convert")
    spec = spec_of(name, MAKE[name]())
    assert compiled(spec)["marks"]
    assert vl_convert.vegalite_to_svg(spec, vl_version=version()).startswith("<svg")


@every_chart
@pytest.mark.parametrize("kind", ["typed", "untyped"])
def test_empty_frames_give_empty_charts(name: str, kind: str) -> None:
    frames = {
        key: frame.head(0) if kind == "typed" else pd.DataFrame(columns=frame.columns)
        for key, frame in MAKE[name]().items()
    }
    spec = spec_of(name, frames)
    assert compiled(spec)["marks"]


@every_chart
def test_the_page_can_let_it_fill_its_container(name: str) -> None:
    spec = spec_of(name, MAKE[name]())
    assert not {"hconcat", "vconcat", "concat", "facet", "repeat"} & {key for key, _ in walk(spec)}
    spec["width"] = "container"
    assert compiled(spec)["autosize"]["type"] == "fit-x"


@every_chart
def test_it_has_a_description_and_inks_that_follow_the_page(name: str) -> None:
    spec = spec_of(name, MAKE[name]())
    assert len(spec["description"]) > 60
    assert spec["config"]["background"] == "transparent"
    assert spec["config"]["axis"]["labelColor"] == theme.INK
    assert len(views(spec)) == sum(isinstance(value, dict) and "encoding" in value for _, value in walk(spec))


@every_chart
def test_texts_from_the_data_stay_in_data_sets(name: str) -> None:
    frames = MAKE[name]()
    for frame in frames.values():
        for column in frame.select_dtypes(exclude=["number", "bool"]).columns:
            frame[column] = [f"{EVIL}{i}" for i in range(len(frame))]
    options = {"map": {"subtitle": EVIL}, "groups": {"what": EVIL}, "check": {"grade": EVIL, "null": 0.1}}
    spec = spec_of(name, frames, **options.get(name, {}))
    assert MARK in json.dumps(spec["datasets"])
    bare = {key: value for key, value in spec.items() if key not in ("datasets", "title", "description")}
    assert MARK not in json.dumps(bare)
    vega = compiled(spec)
    vega["data"] = [{key: value for key, value in one.items() if key != "values"} for one in vega["data"]]
    places = {key for key, value in walk(vega) if isinstance(value, str) and MARK in value}
    assert places <= {"text", "subtitle", "description"}
    assert MARK not in json.dumps([value for key, value in walk(vega) if key in ("signal", "expr", "test", "update")])


@every_chart
def test_hostile_texts_are_drawn_whole_or_cut_by_the_renderer_alone(name: str) -> None:
    frames = MAKE[name]()
    column = {"map": "id", "influence": "id", "waterfall": "id", "check": "query", "stability": "id", "tree": "cluster"}
    first = next(iter(frames.values()))
    field = column.get(name, first.columns[0])
    first[field] = [f"{EVIL}{i}" for i in range(len(first))]
    spec = spec_of(name, frames)
    texts = {value for _, value in walk(spec["datasets"]) if isinstance(value, str)}
    assert set(first[field]) <= texts


@pytest.mark.parametrize(
    ("name", "view", "frame", "columns"),
    [
        ("map", "points", "points", ["x", "y", "margin"]),
        ("map", "highlights", "highlights", ["size", "if_removed", "if_removed_percent"]),
        ("map", "neighbours", "links", ["x", "y", "x2", "y2"]),
        ("influence", "parts", "listed", ["influence", "encoder", "cluster_part", "direct", "if_removed"]),
        ("waterfall", "steps", "steps", ["removed", "before", "after"]),
        ("waterfall", "retrained", "retrained", ["removed", "predicted", "margin", "low", "high"]),
        ("groups", "groups", "frame", ["n", "influence", "low", "high", "if_removed", "pull_share", "size_share"]),
        ("check", "points", "table", ["n_removed", "predicted", "retrained"]),
        ("heatmap", "cells", "frame", ["influence", "if_removed", "n"]),
        ("stability", "samples", "samples", ["share"]),
        ("cluster_stability", "clusters", "clusters", ["size", "jaccard", "low", "high"]),
        ("distances", "clusters", "frame", ["distance"]),
        ("responsibilities", "clusters", "frame", ["membership"]),
    ],
)
def test_the_numbers_are_those_of_the_frame(name: str, view: str, frame: str, columns: list[str]) -> None:
    frames = MAKE[name]()
    drawn = pd.DataFrame(rows_of(spec_of(name, frames), view))[columns].astype(float)
    np.testing.assert_array_equal(drawn, frames[frame][columns].astype(float))


@pytest.mark.parametrize("name", PICTURED)
def test_tooltips_show_pictures_where_there_are_any(name: str) -> None:
    def pictured(spec: dict[str, Any]) -> set[str]:
        return {
            view for view, value in views(spec).items()
            if any(line["field"] == "image" == line["title"] for line in value["encoding"].get("tooltip", []))
        }  # fmt: skip

    frames = MAKE[name]()
    assert pictured(spec_of(name, frames))
    bare = {key: frame.drop(columns=["image", "row"], errors="ignore") for key, frame in frames.items()}
    assert not pictured(spec_of(name, bare))


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("map", {"cluster": "point", "window": "interval", "picked": "point", "links": None}),
        ("waterfall", {"k": None}),
        ("check", {"shown": "point"}),
        ("influence", {}),
    ],
)
def test_parameters_have_fixed_names(name: str, params: dict[str, str | None]) -> None:
    found = [value for key, value in walk(spec_of(name, MAKE[name]())) if key == "params" and isinstance(value, dict)]
    kinds = {one["name"]: one.get("select", {}).get("type") for one in found}
    assert kinds == params
    views_named = {view for one in found for view in one.get("views", [])}
    assert views_named <= {"points"}


def test_the_slider_runs_over_the_steps() -> None:
    spec = spec_of("waterfall", waterfall_frames())
    slider = next(one for one in spec["params"] if one["name"] == "k")
    assert slider["value"] == 3
    assert (slider["bind"]["min"], slider["bind"]["max"], slider["bind"]["step"]) == (1, 3, 1)


def test_the_boundary_is_named_at_the_axis_where_no_bar_covers_it() -> None:
    spec = spec_of("waterfall", waterfall_frames())
    for view in ("steps", "boundary", "retrained"):
        assert views(spec)[view]["encoding"]["y"]["axis"]["labelExpr"] == waterfall.BOUNDARY
    assert "boundary_label" not in views(spec)


def test_the_step_that_is_the_sample_itself_is_named() -> None:
    frames = waterfall_frames()
    assert rows_of(spec_of("waterfall", frames), "itself") == [{"removed": 1, "before": 0.3}]
    frames["steps"]["called"] = frames["steps"]["id"]
    assert "itself" not in views(spec_of("waterfall", frames))


def test_what_was_removed_and_how_clusters_were_made_have_symbols_of_their_own() -> None:
    channels = views(spec_of("waterfall", waterfall_frames()))["retrained"]["encoding"]
    assert channels["fill"]["legend"]["symbolType"] == "square"
    assert "square" not in channels["shape"]["scale"]["range"]
    assert channels["shape"]["legend"]["symbolFillColor"] not in channels["fill"]["scale"]["range"]


def test_links_have_a_checkbox_only_if_there_are_any() -> None:
    frames = map_frames()
    frames["links"] = frames["links"].head(0)
    assert "links" not in {one["name"] for one in spec_of("map", frames)["params"]}


def test_only_the_sides_that_are_there_take_their_colours() -> None:
    frames = map_frames()
    frames["highlights"] = frames["highlights"][~frames["highlights"]["pulls"]]
    highlights = views(spec_of("map", frames))["highlights"]["encoding"]
    assert highlights["stroke"]["scale"]["range"] == [theme.PUSH]
    assert highlights["shape"]["scale"]["range"] == ["square"]


def test_a_cluster_looks_the_same_in_every_chart() -> None:
    names = theme.ordered(pd.Series(["noise", "cluster 12", 'cluster 2 "two"', "other"]))
    assert names == ['cluster 2 "two"', "cluster 12", "other", "noise"]
    colours, shapes = theme.looks(names)
    assert colours[0] == colours[1] != colours[3] == theme.GREY
    assert shapes[0] != shapes[1]
    points = views(spec_of("map", map_frames()))["points"]["encoding"]
    nodes = views(spec_of("tree", tree_frames()))["selected"]["encoding"]
    assert points["color"]["scale"]["range"][0] == theme.CLUSTERS[2]
    assert nodes["color"]["scale"]["range"] == list(theme.CLUSTERS[:2])


def test_numbers_are_written_into_the_cells_of_small_heat_maps_alone() -> None:
    assert "numbers" in views(spec_of("heatmap", heat_frames(12)))
    assert "numbers" not in views(spec_of("heatmap", heat_frames(13)))


def test_the_band_of_no_clear_change_and_the_grade_are_drawn_if_given() -> None:
    for nothing in (None, float("nan")):
        assert not {"band", "grade"} & set(views(spec_of("check", check_frames(), null=nothing)))
    spec = spec_of("check", check_frames(), null=0.25, grade="supported")
    assert rows_of(spec, "band") == [{"low": -0.25, "high": 0.25, "label": "no clear change"}]
    assert [row["end"] for row in rows_of(spec, "diagonal")] == [-0.25, 0.25]
    assert rows_of(spec, "grade") == [{"grade": "supported"}]


def test_groups_are_sorted_by_size_and_bars_by_nearness() -> None:
    groups = {row["group"]: row["order"] for row in rows_of(spec_of("groups", groups_frames()), "groups")}
    assert sorted(groups, key=groups.__getitem__) == ["b", "c", "a"]
    near = {row["cluster"]: row["order"] for row in rows_of(spec_of("distances", distance_frames()), "clusters")}
    assert sorted(near, key=near.__getitem__) == ["c2", "c1", "c0"]


def test_missing_numbers_are_not_shown_as_zero() -> None:
    points = views(spec_of("map", map_frames()))["points"]
    assert {"field": "margin_shown", "title": "margin", "type": "nominal"} in points["encoding"]["tooltip"]
    assert "isValid(datum['margin'])" in points["transform"][0]["calculate"]


def test_long_subtitles_are_broken_into_lines() -> None:
    spec = spec_of("map", map_frames(), subtitle=f"{'word ' * 20}\nsecond")
    lines = spec["title"]["subtitle"]
    assert lines[-1] == "second"
    assert max(map(len, lines)) <= theme.LINE


def test_settings_of_altair_are_left_alone() -> None:
    import altair as alt

    before = alt.data_transformers.active, alt.data_transformers.options, alt.theme.active
    spec_of("map", map_frames())
    assert before == (alt.data_transformers.active, alt.data_transformers.options, alt.theme.active)
