"""A user's own network: every door into ``EmbeddingTask.from_module``, and what stays outside."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clusterexplain import ClusterExplainer, EmbeddingTask, check_task
from clusterexplain.exceptions import InvalidParameterError, InvalidTaskError, SmoothnessWarning
from clusterexplain.models.counter_rng import normal
from tests.conftest import SMALL

OPTIONS = {name: SMALL[name] for name in ("n_clusters", "n_steps", "batch_size", "random_state")} | {
    "scaling": "global"
}


def _pair(activation: type[nn.Module] = nn.GELU) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(5, 6), activation(), nn.Linear(6, 2))
    return encoder, nn.Sequential(nn.Linear(2, 6), activation(), nn.Linear(6, 5))


def test_a_module_equals_the_built_in_autoencoder_of_the_same_weights(blobs: np.ndarray) -> None:
    named = ClusterExplainer(hidden=(6,), latent_dim=2, dtype="float64", **OPTIONS).fit(blobs)
    encoder, decoder = _pair()
    start = named.fit_.recipe.initial
    with torch.no_grad():
        for part, net in (("encoder", encoder), ("decoder", decoder)):
            for layer, linear in enumerate(m for m in net if isinstance(m, nn.Linear)):
                linear.weight.copy_(start[f"{part}.{layer}.weight"])
                linear.bias.copy_(start[f"{part}.{layer}.bias"])
    encoder, decoder = encoder.double(), decoder.double()
    with torch.no_grad():  # copied again in double: the first copy was rounded
        for part, net in (("encoder", encoder), ("decoder", decoder)):
            for layer, linear in enumerate(m for m in net if isinstance(m, nn.Linear)):
                linear.weight.copy_(start[f"{part}.{layer}.weight"])
                linear.bias.copy_(start[f"{part}.{layer}.bias"])
    task = EmbeddingTask.from_module(encoder, decoder=decoder)
    own = ClusterExplainer(model=task, dtype="float64", **OPTIONS).fit(blobs)
    np.testing.assert_allclose(own.embedding_, named.embedding_, rtol=1e-9)
    np.testing.assert_allclose(own.explain([3]).influence, named.explain([3]).influence, rtol=1e-7, atol=1e-12)


def test_the_module_itself_is_never_changed(blobs: np.ndarray) -> None:
    encoder, decoder = _pair()
    before = [p.clone() for p in encoder.parameters()]
    ClusterExplainer(model=EmbeddingTask.from_module(encoder, decoder=decoder), **OPTIONS).fit(blobs)
    assert all(torch.equal(a, b) for a, b in zip(before, encoder.parameters(), strict=True))


def test_frozen_layers_and_buffers_are_constants() -> None:
    encoder = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.GELU(), nn.Linear(6, 2)).eval()
    encoder[0].requires_grad_(False)
    task = EmbeddingTask.from_module(encoder, decoder=nn.Linear(2, 5))
    names = list(task.initial_params(torch.Generator(), torch.float64))
    assert names == ["encoder.1.weight", "encoder.1.bias", "encoder.3.weight", "encoder.3.bias", *names[-2:]]
    check_task(task, torch.randn(10, 5, dtype=torch.float64))


def test_a_module_in_place_gives_the_same_as_one_that_is_not() -> None:
    def task(inplace: bool) -> EmbeddingTask:
        torch.manual_seed(0)
        return EmbeddingTask.from_module(
            nn.Sequential(nn.Linear(5, 6), nn.SiLU(inplace=inplace), nn.Linear(6, 2)), decoder=nn.Linear(2, 5)
        )

    x = torch.randn(10, 5)
    plain, inplace = task(False), task(True)
    check_task(inplace, x)
    params = plain.initial_params(torch.Generator(), torch.float32)
    torch.testing.assert_close(inplace.loss(params, x, torch.ones(10)), plain.loss(params, x, torch.ones(10)))


class SkorchNet:
    """What a fitted skorch net looks like from outside."""

    def __init__(self, module: nn.Module) -> None:
        self.module_ = module


class HuggingFaceModel(nn.Module):
    """A small stand-in for a ``transformers`` model: takes token ids, returns an object with hidden states."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(20, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, activation="gelu", batch_first=True)
        self.pooler = nn.Linear(8, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        hidden = self.layer(self.embeddings(input_ids))
        return SimpleNamespace(last_hidden_state=hidden, pooler_output=torch.tanh(self.pooler(hidden[:, 0])))


def test_a_skorch_net_is_accepted(blobs: np.ndarray) -> None:
    encoder, decoder = _pair()
    task = EmbeddingTask.from_module(SkorchNet(encoder), decoder=SkorchNet(decoder))
    assert ClusterExplainer(model=task, **OPTIONS).fit(blobs).explain([0]).influence.shape == (1, 30)


def _pooled(net: nn.Module, inputs: Tensor) -> Tensor:
    return net(inputs.long()).last_hidden_state.mean(dim=1)


def _next_to_pooled(net: nn.Module, inputs: Tensor) -> Tensor:
    output = net(inputs.long())
    return (output.pooler_output - _pooled(net, inputs)[:, :3]).square().mean(dim=1)


def test_a_hugging_face_style_module_is_accepted() -> None:
    torch.manual_seed(0)
    rows = np.random.default_rng(0).integers(0, 20, (24, 5)).astype(float)
    task = EmbeddingTask.from_module(HuggingFaceModel().eval(), embed=_pooled, example_loss=_next_to_pooled)
    ce = ClusterExplainer(model=task, weight_decay=0.0, **{**OPTIONS, "scaling": "auto"}).fit(rows)
    explanation = ce.explain([0, 1])
    assert np.isfinite(explanation.influence).all()
    assert np.abs(explanation.influence).max() > 0
    # Embedding's gradient is a scatter, attention a chain of views: the derivative must survive both.
    check = ce.verify(explanation, n_single=0, n_within=0, n_groups=0, n_top=0, n_down=12)
    assert check.figure("down-weight", "kept") > 0.9


def test_a_batch_dependent_loss_and_an_augmentation_of_ones_own(blobs: np.ndarray) -> None:
    def two_views(inputs: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        return tuple(inputs + 0.1 * normal(keys, 5, stream=s, dtype=inputs.dtype) for s in (0, 1))  # type: ignore[return-value]

    def align_and_spread(net: nn.Module, views: tuple[Tensor, Tensor], weights: Tensor) -> Tensor:
        a, b = (F.normalize(net(view), dim=1) for view in views)
        n = len(weights)
        pairs = torch.exp(-2 * (a.unsqueeze(1) - a).square().sum(dim=-1)) * weights.outer(weights)
        return ((a - b).square().sum(dim=1) * weights).sum() / n + 0.1 * (pairs * (1 - torch.eye(n))).sum() / n

    task = EmbeddingTask.from_module(_pair()[0], loss=align_and_spread, augment=two_views)
    assert not task.separable
    ce = ClusterExplainer(model=task, **OPTIONS).fit(blobs)
    check = ce.verify(ce.explain([0, 5, 9]), n_single=0, n_within=0, n_groups=0, n_top=0, n_down=20)
    assert check.figure("down-weight", "kept") > 0.95


def test_images_are_reshaped_for_the_network(blobs: np.ndarray) -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.GELU(), nn.Flatten(), nn.Linear(16, 2))
    task = EmbeddingTask.from_module(
        net, decoder=nn.Sequential(nn.Linear(2, 16), nn.Unflatten(1, (1, 4, 4))), input_shape=(1, 4, 4)
    )
    rows = np.random.default_rng(0).normal(size=(30, 16))
    assert ClusterExplainer(model=task, **OPTIONS).fit(rows).embedding_.shape == (30, 2)


def test_kinks_are_warned_about_by_name(blobs: np.ndarray) -> None:
    encoder, decoder = _pair(nn.ReLU)
    with pytest.warns(SmoothnessWarning, match=r"layers with kinks \(ReLU\)"):
        ClusterExplainer(model=EmbeddingTask.from_module(encoder, decoder=decoder), **OPTIONS).fit(blobs)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: EmbeddingTask.from_module(nn.Linear(5, 2)), r"nothing to train on\. Expected decoder="),
        (lambda: EmbeddingTask.from_module("net", decoder=nn.Linear(2, 5)), r"encoder is a str\. Expected a torch"),
        (
            lambda: EmbeddingTask.from_module(
                nn.Linear(5, 2), loss=lambda n, x, w: x.sum(), example_loss=lambda n, x: x.sum(1)
            ),
            r"Both loss and example_loss are given",
        ),
    ],
)
def test_wrong_parts_are_refused(build, message: str) -> None:
    with pytest.raises(InvalidTaskError, match=message):
        build()


def test_nothing_to_train_is_refused() -> None:
    task = EmbeddingTask.from_module(nn.Linear(5, 2).requires_grad_(False), example_loss=lambda n, x: n(x).sum(1))
    with pytest.raises(InvalidTaskError, match=r"No parameter of the module requires a gradient"):
        task.initial_params(torch.Generator(), torch.float32)


def test_options_of_named_models_do_not_go_with_a_task(blobs: np.ndarray) -> None:
    encoder, decoder = _pair()
    task = EmbeddingTask.from_module(encoder, decoder=decoder)
    with pytest.raises(InvalidParameterError, match=r"model_options belong to a model that is asked for by name"):
        ClusterExplainer(model=task, model_options={"beta": 1}, **OPTIONS).fit(blobs)


def test_a_network_sees_the_rows_as_they_are(blobs: np.ndarray) -> None:
    encoder, decoder = _pair()
    task = EmbeddingTask.from_module(encoder, decoder=decoder)
    ce = ClusterExplainer(model=task, **{**OPTIONS, "scaling": "auto"}, further_rate=1e-5).fit(blobs, train=False)
    with torch.no_grad():
        expected = encoder(torch.from_numpy(blobs).float()).numpy()
    np.testing.assert_array_equal(ce.transform(blobs).astype(np.float32), expected)


def test_what_is_trainable_is_settled_when_the_task_is_made() -> None:
    encoder = nn.Linear(5, 2).requires_grad_(False)
    task = EmbeddingTask.from_module(encoder, decoder=nn.Linear(2, 5))
    params = task.initial_params(torch.Generator(), torch.float32)
    x = torch.randn(4, 5)
    before = task.embed(params, x)
    task.net.requires_grad_(True)  # type: ignore[attr-defined]
    with torch.no_grad():
        task.net.encoder.weight.zero_()  # type: ignore[attr-defined]
    assert list(task.initial_params(torch.Generator(), torch.float32)) == list(params)
    torch.testing.assert_close(task.embed(params, x), before)


def test_complex_parameters_are_refused() -> None:
    net = nn.Linear(5, 2, dtype=torch.complex64)
    with pytest.raises(InvalidTaskError, match=r"weight is of type torch\.complex64\. Expected real"):
        EmbeddingTask.from_module(net, example_loss=lambda n, x: n(x).sum(1).real)


def test_denoising_reconstructs_the_clean_rows_from_the_noisy_ones() -> None:
    encoder, decoder = _pair()
    task = EmbeddingTask.from_module(encoder, decoder=decoder, augment=lambda x, keys: (x, 0 * x))
    params, x = task.initial_params(torch.Generator(), torch.float32), torch.randn(4, 5)
    with torch.no_grad():
        expected = (decoder(encoder(0 * x)) - x).square().mean()
    torch.testing.assert_close(task.loss(params, task.augment(x, torch.arange(4)), torch.ones(4)), expected)


def test_parts_of_an_augmentation_that_are_no_rows_keep_their_shape() -> None:
    task = EmbeddingTask.from_module(
        nn.Sequential(nn.Flatten(), nn.Linear(16, 2)),
        input_shape=(1, 4, 4),
        augment=lambda x, keys: (x, torch.ones(len(x), 2)),
        example_loss=lambda net, both: (net(both[0]) + both[1]).square().sum(dim=1),
    )
    check_task(task, torch.randn(8, 16))


class Writing(nn.Module):
    """Fills a new tensor in place."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(5, 4)
        self.b = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.a(x))
        z = torch.zeros_like(h)
        z[:, :2] = h[:, :2]
        return self.b(z + x[:, :4])


class Recurrent(nn.Module):
    """A GRU over the columns."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 3, batch_first=True)
        self.out = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.gru(x.unsqueeze(-1))[0][:, -1])


def test_writing_in_place_is_refused_before_training(blobs: np.ndarray) -> None:
    task = EmbeddingTask.from_module(Writing(), decoder=nn.Linear(2, 5))
    with pytest.raises(InvalidTaskError, match=r"without operations in place \(z\[:, :4\] = x\)|writes in place"):
        ClusterExplainer(model=task, **OPTIONS).fit(blobs)


def test_branches_on_inputs_are_refused_before_training(blobs: np.ndarray) -> None:
    task = EmbeddingTask.from_module(
        nn.Linear(5, 2), example_loss=lambda net, x: net(x if float(x.max()) > 1e9 else 2 * x).square().sum(dim=1)
    )
    with pytest.raises(InvalidTaskError, match=r"cannot be recorded: .*branches on values|differentiated twice"):
        ClusterExplainer(model=task, **OPTIONS).fit(blobs)


def test_frozen_batch_statistics_are_explained(blobs: np.ndarray) -> None:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.GELU(), nn.Linear(6, 2)).eval()
    ce = ClusterExplainer(model=EmbeddingTask.from_module(encoder, decoder=nn.Linear(2, 5)), **OPTIONS).fit(blobs)
    check = ce.verify(ce.explain([0, 5]), n_single=0, n_within=0, n_groups=0, n_top=0, n_down=12)
    assert check.figure("down-weight", "kept") > 0.95


def test_recurrent_networks_are_explained(blobs: np.ndarray) -> None:
    torch.manual_seed(0)
    task = EmbeddingTask.from_module(Recurrent(), decoder=nn.Linear(2, 5))
    ce = ClusterExplainer(model=task, **{**OPTIONS, "n_steps": 15}).fit(blobs)
    check = ce.verify(ce.explain([0, 5]), n_single=0, n_within=0, n_groups=0, n_top=0, n_down=12)
    assert check.figure("down-weight", "kept") > 0.95
