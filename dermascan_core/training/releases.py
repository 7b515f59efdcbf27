"""The releases that ship, as data: which recipes each is made of, and which of these learn from which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReleaseRecipe:
    """How a release is made.

    Attributes:
        members: Presets whose probabilities it averages.
        teachers: Preset -> the presets whose mean answer it learns from; they are trained first, and may have teachers too.
        version: Of what is made by it; grows with every change to what ships.
        card: Page in ``docs/`` that holds its model card.
    """

    members: tuple[str, ...]
    teachers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    version: str = "1"
    card: str = "model-card.md"

    def in_order(self) -> tuple[str, ...]:
        """Return every preset that has to be trained, each after those that it learns from.

        >>> ReleaseRecipe(("c",), {"c": ("b",), "b": ("a",)}).in_order()
        ('a', 'b', 'c')
        """
        order: dict[str, None] = {}

        def add(name: str) -> None:
            for teacher in self.teachers.get(name, ()):
                add(teacher)
            order[name] = None

        for member in self.members:
            add(member)
        return tuple(order)


NEW_TO_IT = "each by networks new to it"  # how a threshold's rule ends where the answers of all folds fitted it
_STUDENT = {"student": ("inception_v3", "mobilenet_v2")}
RELEASES: dict[str, ReleaseRecipe] = {
    "dermascan-large": ReleaseRecipe(("inception_v3", "mobilenet_v2"), card="model-card-large.md"),
    "dermascan": ReleaseRecipe(("student",), _STUDENT, version="2"),
    "nasnet_mobile": ReleaseRecipe(
        ("nasnet_mobile",), {**_STUDENT, "nasnet_mobile": ("student",)}, card="model-card-nasnet-mobile.md"
    ),
}
