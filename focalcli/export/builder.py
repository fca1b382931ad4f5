"""Write ONNX nodes as calls: `build("Add", x, 1.0)` adds a node and gives the name of its output."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Operand = str | int | float | Sequence[int] | npt.NDArray[Any]


class Builder:
    """Appends nodes to a graph. Names begin with `room`, so that they say where a node belongs and cannot clash."""

    def __init__(self, graph: onnx.GraphProto, room: str) -> None:
        self.graph, self.room = graph, room
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._count = 0

    def __call__(self, kind: str, *inputs: Operand, name: str = "", domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, called `name` where one is given; give that output."""
        return self.several(kind, *inputs, names=(name,), domain=domain, **attributes)[0]

    def several(
        self, kind: str, *inputs: Operand, names: Sequence[str], domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with one output per name (empty: any name); give the outputs."""
        self._count += 1
        node_name = f"{self.room}/{kind}_{self._count}"
        outputs = [name or f"{node_name}:{i}" for i, name in enumerate(names)]
        operands = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        self.graph.node.append(helper.make_node(kind, operands, outputs, node_name, domain=domain, **attributes))
        return outputs

    def constant(self, value: Operand, name: str = "") -> str:
        """Add a constant, the same one for equal values: Python's floats as float32, its ints as int64."""
        array = np.asarray(value)
        if not isinstance(value, np.ndarray):
            array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        key = (array.dtype.str, array.shape, array.tobytes())
        if name or key not in self._constants:
            self._constants[key] = name or f"{self.room}/constant_{len(self._constants)}"
            self.graph.initializer.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]
