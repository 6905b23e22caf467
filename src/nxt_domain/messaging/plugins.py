"""The plug-ins that are enabled in this process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from nxt_domain.messaging.ports import Courier, PullPlugin, PushPlugin
from nxt_domain.messaging.stages import Pipeline
from nxt_domain.messaging.tuning import Lane, Lanes, Tuning


@attrs.frozen(kw_only=True)
class PluginSet:
    """Plug-ins by id and pipeline; only these exist [DM-165].

    Attributes:
        push: Those whose network server reports by events.
        pull: Those whose vendor must be asked.
        lanes: How the rules see each.
    """

    push: Mapping[str, PushPlugin]
    pull: Mapping[str, PullPlugin]
    lanes: Lanes

    @classmethod
    def of(
        cls,
        *,
        push: Iterable[PushPlugin] = (),
        pull: Iterable[PullPlugin] = (),
        tunings: Mapping[str, Tuning] | None = None,
    ) -> PluginSet:
        """Collect plug-ins; one without tuning has the defaults.

        Raises:
            ValueError: Two plug-ins have the same id, or a tuning belongs to none.
        """
        pushing, pulling = list(push), list(pull)
        ids = [plugin.plugin_id for plugin in (*pushing, *pulling)]
        tunings = tunings or {}
        if len(set(ids)) < len(ids) or not set(tunings) <= set(ids):
            raise ValueError(f"plug-ins {ids} and tunings {sorted(tunings)} do not fit together")
        pipelines = dict.fromkeys((plugin.plugin_id for plugin in pushing), Pipeline.PUSH)
        pipelines |= dict.fromkeys((plugin.plugin_id for plugin in pulling), Pipeline.PULL)
        return cls(
            push={plugin.plugin_id: plugin for plugin in pushing},
            pull={plugin.plugin_id: plugin for plugin in pulling},
            lanes={
                plugin_id: Lane(pipeline=pipeline, tuning=tunings.get(plugin_id, Tuning()))
                for plugin_id, pipeline in pipelines.items()
            },
        )

    @property
    def couriers(self) -> Mapping[str, Courier]:
        """All of them, for enqueueing and sending."""
        return {**self.push, **self.pull}
