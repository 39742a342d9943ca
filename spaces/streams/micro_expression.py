"""Micro-expression stream: how the face moves between neighbouring frames."""

from __future__ import annotations

import contextlib
from typing import Any

import autokeras as ak
import keras

from spaces.streams.micro_expression_networks import NETWORKS, norm
from spaces.streams.motion import REGIONS, SOURCES, dynamic_image, motion_maps


@keras.saving.register_keras_serializable(package="dfsearch")
class MicroExpressionBlock(ak.Block):
    """Micro-expression stream: a shallow network on motion, uint8 (T, H, W, 4) to float (F).

    A deepfake has no annotated apex, so all stored frames are used. Each network reads the face at
    about the size of its paper, from one of its possible sources:

    ============== ===== =================================================================
    network        side  sources, the first available one is the default
    ============== ===== =================================================================
    ststnet        28    flow, differences: one set of motion maps for each pair of frames
    microexpstcnn  64    grey (the clip itself), differences, flow: as one volume
    learnet        112   grey, flow: as one dynamic image
    ============== ===== =================================================================

    ``differences`` are those of grey and their gradients (:func:`spaces.streams.motion.changes`).
    ``flow`` is the modality of the store.

    Args:
        network: one of :data:`spaces.streams.micro_expression_networks.NETWORKS`; ``None`` searches
            those that accept the source.
        source: one of :data:`spaces.streams.motion.SOURCES`; ``None`` searches those of the
            network.
        region: one of :data:`spaces.streams.motion.REGIONS`; ``None`` searches.
        width: factor of the paper's filters; ``None`` searches 1, 2, 4 for STSTNet, 1/4, 1/2, 1 for
            the others.
        dropout: dropout rate, 0.5 in the papers; ``None`` searches 0 to 0.5.
        units: size of the dense layer; ``None`` searches up to the paper's 128 for MicroExpSTCNN
            and 256 for LEARNet; for STSTNet, which has none, 16 to 64 for each pair of frames.
    """

    def __init__(
        self,
        network: str | None = None,
        source: str | None = None,
        region: str | None = None,
        width: float | None = None,
        dropout: float | None = None,
        units: int | None = None,
        name: str = "micro_expression",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if network is not None and network not in NETWORKS:
            raise ValueError(f"network must be of {tuple(NETWORKS)}. Received: {network!r}")
        sources = SOURCES if network is None else NETWORKS[network].sources
        if source is not None and source not in sources:
            raise ValueError(
                f"source of {network or 'a network'} must be of {sources}. Received: {source!r}"
            )
        if region is not None and region not in REGIONS:
            raise ValueError(f"region must be of {tuple(REGIONS)}. Received: {region!r}")
        self.network = network
        self.source = source
        self.region = region
        self.width = width
        self.dropout = dropout
        self.units = units

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "network": self.network,
            "source": self.source,
            "region": self.region,
            "width": self.width,
            "dropout": self.dropout,
            "units": self.units,
        }

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on frames, or on [frames, flow] where the store holds flow.

        Args:
            hp: hyperparameters of the choices that are not pinned.
            inputs: uint8 frames (batch, T, H, W, 4), T at least 2, and flow, float16
                (batch, T - 1, H / 2, W / 2, 3), as :mod:`data_prep.video.flow` makes it.

        Returns:
            float (batch, F).

        Raises:
            ValueError: clips of one frame, or flow is pinned and not there.
        """
        frames, *rest = keras.tree.flatten(inputs)
        flow = rest[0] if rest else None
        if frames.shape[1] < 2:
            raise ValueError(
                f"the micro-expression stream needs 2 frames a clip. Received: {frames.shape[1]}"
            )
        if self.source == "flow" and flow is None:
            raise ValueError(
                "the micro-expression stream is to see flow and the clips have none; prepare them "
                "with --modalities flow, or choose another source"
            )
        region = self.region
        if region is None:
            region = hp.Choice("region", list(REGIONS), default="face")
        dropout = self.dropout
        if dropout is None:
            dropout = hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.5)

        chosen, scope = self._ask_network(hp)
        network = NETWORKS[chosen]
        with scope:
            source = self.source or self._ask_source(hp, chosen, flow is not None)
            width = self.width
            if width is None:
                width = hp.Choice(f"{chosen}_width", list(network.widths), default=1.0)
            units = self.units
            if units is None:
                units = hp.Choice(
                    f"{chosen}_units", list(network.units), default=network.default_units
                )

        x = motion_maps(source, frames, flow, region, network.side, name=self.name)
        if network.as_dynamic_image:
            x = dynamic_image(x, name=self.name)
        x = norm(x, name=f"{self.name}_maps")
        return network.build(x, width, dropout, units, name=self.name)

    def _ask_network(self, hp: Any) -> tuple[str, contextlib.AbstractContextManager[Any]]:
        """Ask for a network; return its name, and the scope of its own choices."""
        if self.network is not None:
            return self.network, contextlib.nullcontext()
        candidates = [name for name in NETWORKS if self.source in (None, *NETWORKS[name].sources)]
        chosen = hp.Choice("network", candidates, default=candidates[0])
        return chosen, hp.conditional_scope("network", [chosen])

    def _ask_source(self, hp: Any, chosen: str, has_flow: bool) -> str:
        sources = [one for one in NETWORKS[chosen].sources if has_flow or one != "flow"]
        if len(sources) == 1:
            return sources[0]
        answer: str = hp.Choice(f"{chosen}_source", sources, default=sources[0])
        return answer
