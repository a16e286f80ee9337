"""Why a tick of the poster does not hold in the measurement, by property and method."""

EXPLANATIONS = {
    (2, "RT"): (
        "Its one setting is the weight of the commitment loss, and on this task that weight hardly matters. STE "
        "with the same setting does depend on it: without its pull the latents run away from the codewords."
    ),
    (3, "RT"): (
        "The rotation acts on the encoder's gradient alone. In the paper's and in the released code the codebook "
        "gets nothing of the task's gradient; it is moved by the codebook loss, exactly as with STE (the figures "
        "are the same)."
    ),
    (3, "NSVQ"): (
        "Exact where the loss is the squared error of z_q itself. Behind a decoder the gradient of a codeword has "
        "parts across its error, which the deployed quantizer passes on and NSVQ does not: it reads the gradient "
        "along a random direction and moves the codeword along its error."
    ),
    (3, "DiVeQ"): (
        "Exact where the loss is the squared error of z_q itself. Behind a decoder the codeword gets the part of "
        "the gradient along its own error; the parts across it go to the encoder. It is the exact gradient of the "
        "surrogate, which may be what the poster means, and of the methods without own loss it is the closest."
    ),
    (3, "SF-DiVeQ"): (
        "Its gradient belongs to a random point of a segment and is shared by the two ends; deployed is the "
        "nearest codeword. Neither the cells nor the shares are those of the deployed quantizer."
    ),
    (4, "SF-DiVeQ"): (
        "Training sees random points of the curve, the deployed quantizer the nearest codeword. The released code "
        "avoids the mismatch by deploying the nearest point of the whole curve, a real number that no bitstream "
        "carries. With `snap_from` the mismatch is gone from that step on."
    ),
    (7, "SF-DiVeQ"): (
        "No codeword is left alone for ever, as the 2-D pictures show. But in 8 dimensions and within these steps a "
        "curve from afar has not arrived, and in hot training as many codewords lie off the latents as with DiVeQ: "
        "what training draws to the latents are points of segments, and a corner between two of them may stay off."
    ),
    (8, "SF-DiVeQ"): (
        "In two dimensions it revives every codeword, where the others (but for replacement) do not. In the "
        "autoencoder it uses more codewords than DiVeQ from the far start, not nearly all of them. With k-means "
        "start and replacement of dead codewords, the defaults here, all but ST-GS use most of their codebooks."
    ),
}
