"""Input gradient: which pixels a score depends on.

Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks: visualising image
classification models and saliency maps", ICLR workshop 2014, section 3.
"""

import torch
from torch import Tensor, nn


def input_gradient(network: nn.Module, image: Tensor) -> Tensor:
    """Map how much each class's score changes with each pixel: ``max_c |dscore / dx_c|``.

    The network runs in its current mode; set it to evaluation mode first.

    Parameters
    ----------
    network : nn.Module
        From images to class scores (n, k).
    image : Tensor of shape (n, c, h, w)
        The images.

    Returns
    -------
    Tensor of shape (n, k, h, w)
        float, not negative; the maximum over the image's channels.

    Examples
    --------
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    >>> _ = nn.init.constant_(network[1].weight, -2.0)
    >>> input_gradient(network, torch.ones(1, 1, 2, 2))
    tensor([[[[2., 2.],
              [2., 2.]]]])
    """
    with torch.inference_mode(False), torch.enable_grad():
        leaf = image.clone().requires_grad_()
        totals = network(leaf).sum(0)
        maps = [
            torch.autograd.grad(total, leaf, retain_graph=True)[0].abs().amax(1) for total in totals
        ]
    return torch.stack(maps, dim=1)
