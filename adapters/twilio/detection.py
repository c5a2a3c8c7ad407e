"""Whether Twilio is asked to tell people from answering machines, and how."""

from __future__ import annotations

from dataclasses import dataclass

_MODES = {"enable": "Enable", "detect_message_end": "DetectMessageEnd"}


@dataclass(frozen=True, slots=True)
class Detection:
    """`mode`: off, enable or detect_message_end. `timeout` is seconds until an undecided detection says unknown."""

    mode: str = "off"
    timeout: int = 30

    def fields(self, callback_url: str) -> list[tuple[str, str]]:
        """Of a placement. Always asynchronous: the call goes on meanwhile, for nobody who picks up shall hear silence."""
        if self.mode == "off":
            return []
        return [
            ("MachineDetection", _MODES[self.mode]),
            ("MachineDetectionTimeout", str(self.timeout)),
            ("AsyncAmd", "true"),
            ("AsyncAmdStatusCallback", callback_url),
            ("AsyncAmdStatusCallbackMethod", "POST"),
        ]
