"""A launch script: trains as recipes/train.py does, and after every step compares the weights of all processes."""

import sys

import torch

from audiocodec.training import main, trainer


def compare(step_function):
    def compared(self, batch):
        row = step_function(self, batch)
        state = self.state
        # what the warm-up collected is each process's own: the first one's decides
        shared = [b for name, b in state.codec.quantizer.named_buffers() if not name.startswith("reservoir")]
        tensors = [*state.codec.parameters(), *shared, *state.ema.average.values()]
        tensors += list(state.discriminators.parameters())
        mine = torch.cat([t.detach().double().flatten() for t in tensors])[None]
        everyone = self.accelerator.gather(mine)
        assert len(everyone) == self.accelerator.num_processes == 2
        assert torch.equal(everyone[0], everyone[1]), f"processes differ after step {row['step']}"
        return row

    return compared


if __name__ == "__main__":
    trainer.Trainer._step = compare(trainer.Trainer._step)
    sys.exit(main.main())
