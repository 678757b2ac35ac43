"""Maps of evidence: heat on the photo in grey, where the evidence is."""

import io

import numpy as np
from PIL import Image

from commongarden.train import heat


def test_evidence_is_warm_on_a_grey_photo():
    photo = np.zeros((32, 32, 3), np.uint8)
    photo[:] = (40, 200, 60)
    lit = np.zeros((8, 8), np.float32)
    lit[:, 4:] = 1.0
    with Image.open(io.BytesIO(heat.jpeg(photo, lit))) as opened:
        pixels = np.asarray(opened).astype(int)
    cold, warm = pixels[40:90, 5:40].mean(axis=(0, 1)), pixels[40:90, 90:120].mean(axis=(0, 1))
    assert np.ptp(cold) < 6, "grey"
    assert warm[0] > warm[2] + 60, "yellow"
    assert warm[0] > 200
