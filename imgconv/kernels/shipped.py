"""The shipped catalogue as it is read: docs/shipped.py writes this from kernels/*.toml.

By the digest of a file, its name and tables: to read them as TOML takes a tenth of a start. Of each
family how it is written, its summary and its source.
"""

from __future__ import annotations

from typing import Any

# ruff: noqa: E501
# fmt: off
TABLES: dict[str, tuple[str, dict[str, Any]]] = {
"afbf11c51edbd8de8a9f446c": ("blur.toml", {
    'blur': {'summary': 'Soft blur: 3x3 binomial, weights 1 2 1', 'source': 'V. Powell, Image Kernels Explained Visually, setosa.io', 'weights': [[1, 2, 1], [2, 4, 2], [1, 2, 1]], 'divisor': 16},
    'box-3': {'summary': 'Mean of 3x3 pixels', 'source': 'The mean; Gonzalez and Woods, Digital Image Processing, 4th edition, section 3.5', 'weights': [[1, 1, 1], [1, 1, 1], [1, 1, 1]], 'divisor': 9},
    'box-5': {'summary': 'Mean of 5x5 pixels', 'source': 'The mean; Gonzalez and Woods, Digital Image Processing, 4th edition, section 3.5', 'weights': [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]], 'divisor': 25},
    'box-7': {'summary': 'Mean of 7x7 pixels', 'source': 'The mean; Gonzalez and Woods, Digital Image Processing, 4th edition, section 3.5', 'weights': [[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1]], 'divisor': 49},
    'binomial-5': {'summary': 'Nearly Gaussian, sigma 1.0: 1 4 6 4 1', 'source': "Pascal's triangle; B. Jaehne, Digital Image Processing, 6th edition, section 11.4", 'weights': [[1, 4, 6, 4, 1], [4, 16, 24, 16, 4], [6, 24, 36, 24, 6], [4, 16, 24, 16, 4], [1, 4, 6, 4, 1]], 'divisor': 256},
    'binomial-7': {'summary': 'Nearly Gaussian, sigma 1.2: 1 6 15 20 15 6 1', 'source': "Pascal's triangle; B. Jaehne, Digital Image Processing, 6th edition, section 11.4", 'weights': [[1, 6, 15, 20, 15, 6, 1], [6, 36, 90, 120, 90, 36, 6], [15, 90, 225, 300, 225, 90, 15], [20, 120, 300, 400, 300, 120, 20], [15, 90, 225, 300, 225, 90, 15], [6, 36, 90, 120, 90, 36, 6], [1, 6, 15, 20, 15, 6, 1]], 'divisor': 4096},
}),
"33a0de2e1bfaa41bf9428c6d": ("channels.toml", {
    'luma': {'summary': 'The brightness of a colour, as a gray picture', 'source': "ITU-R Recommendation BT.601, section 2.5.1, in the 16 bits that Pillow's L has", 'weights': [[[19595]], [[38470]], [[7471]]], 'divisor': 65536},
    'sepia': {'summary': 'Browns as of an old photograph', 'source': 'W3C, Filter Effects Module Level 1, sepia', 'weights': [[[[393]], [[769]], [[189]]], [[[349]], [[686]], [[168]]], [[[272]], [[534]], [[131]]]], 'divisor': 1000},
    'saturate': {'summary': 'Colours half as strong again', 'source': 'W3C, Filter Effects Module Level 1, saturate(1.5)', 'weights': [[[[2787]], [[-715]], [[-72]]], [[[-213]], [[2285]], [[-72]]], [[[-213]], [[-715]], [[2928]]]], 'divisor': 2000},
    'swap-red-green': {'summary': 'Red for green and back', 'source': 'A permutation of the channels', 'weights': [[[[0]], [[1]], [[0]]], [[[1]], [[0]], [[0]]], [[[0]], [[0]], [[1]]]]},
    'swap-red-blue': {'summary': 'Red for blue and back, as from RGB to BGR', 'source': 'A permutation of the channels', 'weights': [[[[0]], [[0]], [[1]]], [[[0]], [[1]], [[0]]], [[[1]], [[0]], [[0]]]]},
    'swap-green-blue': {'summary': 'Green for blue and back', 'source': 'A permutation of the channels', 'weights': [[[[1]], [[0]], [[0]]], [[[0]], [[0]], [[1]]], [[[0]], [[1]], [[0]]]]},
    'outline-rgb': {'summary': 'Outline of each channel, added up', 'source': 'V. Powell, Image Kernels Explained Visually, setosa.io, on each input channel', 'weights': [[[[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]]]},
}),
"409152baa296e8c05cece8f7": ("edge.toml", {
    'edge-vertical': {'summary': 'Left minus right: finds vertical edges', 'source': 'Zhang et al., Dive into Deep Learning, section 7.2', 'weights': [[1, -1]]},
    'edge-horizontal': {'summary': 'Top minus bottom: finds horizontal edges', 'source': 'Zhang et al., Dive into Deep Learning, section 7.2', 'weights': [[1], [-1]]},
    'edge-corner': {'summary': 'Differences in both directions: finds corners', 'source': 'Zhang et al., Dive into Deep Learning, section 7.2', 'weights': [[1, -1], [-1, 1]]},
}),
"14855f096b33f99a17e54fbc": ("emboss.toml", {
    'emboss': {'summary': 'Relief: bright where bottom right is brighter', 'source': 'V. Powell, Image Kernels Explained Visually, setosa.io', 'weights': [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]},
    'emboss-bottom': {'summary': 'Relief: bright where bottom is brighter', 'source': 'emboss with its ring of weights turned in steps of 45 degrees; V. Powell, Image Kernels Explained Visually, setosa.io', 'weights': [[-1, -2, -1], [0, 1, 0], [1, 2, 1]]},
    'emboss-bottom-left': {'summary': 'Relief: bright where bottom left is brighter', 'source': 'emboss with its ring of weights turned in steps of 45 degrees; V. Powell, Image Kernels Explained Visually, setosa.io', 'weights': [[0, -1, -2], [1, 1, -1], [2, 1, 0]]},
    'emboss-left': {'summary': 'Relief: bright where left is brighter', 'source': 'emboss with its ring of weights turned in steps of 45 degrees; V. Powell, Image Kernels Explained Visually, setosa.io', 'weights': [[1, 0, -1], [2, 1, -2], [1, 0, -1]]},
    'emboss-top-left': {'summary': 'Relief: bright where top left is brighter', 'source': 'emboss with its ring of weights turned in steps of 45 degrees; V. Powell, Image Kernels Explained Visually, setosa.io', 'weights': [[2, 1, 0], [1, 1, -1], [0, -1, -2]]},
    'emboss-top': {'summary': 'Relief: bright where top is brighter', 'source': 'emboss with its ring of weights turned in steps of 45 degrees; V. Powell, Image Kernels Explained Visually, setosa.io', 'weights': [[1, 2, 1], [0, 1, 0], [-1, -2, -1]]},
    'emboss-top-right': {'summary': 'Relief: bright where top right is brighter', 'source': 'emboss with its ring of weights turned in steps of 45 degrees; V. Powell, Image Kernels Explained Visually, setosa.io', 'weights': [[0, 1, 2], [-1, 1, 1], [-2, -1, 0]]},
    'emboss-right': {'summary': 'Relief: bright where right is brighter', 'source': 'emboss with its ring of weights turned in steps of 45 degrees; V. Powell, Image Kernels Explained Visually, setosa.io', 'weights': [[-1, 0, 1], [-2, 1, 2], [-1, 0, 1]]},
}),
"1ede6e5f35d47836020248a9": ("identity.toml", {
    'identity': {'summary': 'Leaves every pixel as it is', 'source': 'the definition', 'weights': [[0, 0, 0], [0, 1, 0], [0, 0, 0]]},
}),
"1c06291b46acb59a80c7bda1": ("kirsch.toml", {
    'kirsch-n': {'summary': 'Bright where north is brighter', 'source': 'R. Kirsch, Computer Determination of the Constituent Structure of Biological Images, Computers and Biomedical Research 4, 1971', 'weights': [[5, 5, 5], [-3, 0, -3], [-3, -3, -3]]},
    'kirsch-ne': {'summary': 'Bright where north-east is brighter', 'source': 'R. Kirsch, Computer Determination of the Constituent Structure of Biological Images, Computers and Biomedical Research 4, 1971', 'weights': [[-3, 5, 5], [-3, 0, 5], [-3, -3, -3]]},
    'kirsch-e': {'summary': 'Bright where east is brighter', 'source': 'R. Kirsch, Computer Determination of the Constituent Structure of Biological Images, Computers and Biomedical Research 4, 1971', 'weights': [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]]},
    'kirsch-se': {'summary': 'Bright where south-east is brighter', 'source': 'R. Kirsch, Computer Determination of the Constituent Structure of Biological Images, Computers and Biomedical Research 4, 1971', 'weights': [[-3, -3, -3], [-3, 0, 5], [-3, 5, 5]]},
    'kirsch-s': {'summary': 'Bright where south is brighter', 'source': 'R. Kirsch, Computer Determination of the Constituent Structure of Biological Images, Computers and Biomedical Research 4, 1971', 'weights': [[-3, -3, -3], [-3, 0, -3], [5, 5, 5]]},
    'kirsch-sw': {'summary': 'Bright where south-west is brighter', 'source': 'R. Kirsch, Computer Determination of the Constituent Structure of Biological Images, Computers and Biomedical Research 4, 1971', 'weights': [[-3, -3, -3], [5, 0, -3], [5, 5, -3]]},
    'kirsch-w': {'summary': 'Bright where west is brighter', 'source': 'R. Kirsch, Computer Determination of the Constituent Structure of Biological Images, Computers and Biomedical Research 4, 1971', 'weights': [[5, -3, -3], [5, 0, -3], [5, -3, -3]]},
    'kirsch-nw': {'summary': 'Bright where north-west is brighter', 'source': 'R. Kirsch, Computer Determination of the Constituent Structure of Biological Images, Computers and Biomedical Research 4, 1971', 'weights': [[5, 5, -3], [5, 0, -3], [-3, -3, -3]]},
}),
"61ed8a435b37bc8aa907e2c0": ("laplacian.toml", {
    'laplacian-4': {'summary': 'Second derivative over 4 neighbours', 'source': 'Gonzalez and Woods, Digital Image Processing, 4th edition, section 3.6', 'weights': [[0, 1, 0], [1, -4, 1], [0, 1, 0]]},
    'laplacian-8': {'summary': 'Second derivative over 8 neighbours', 'source': 'Gonzalez and Woods, Digital Image Processing, 4th edition, section 3.6', 'weights': [[1, 1, 1], [1, -8, 1], [1, 1, 1]]},
    'laplacian-of-gaussian': {'summary': 'Second derivative of a blur, positive centre', 'source': 'Gonzalez and Woods, Digital Image Processing, 4th edition, section 10.2, after Marr and Hildreth, 1980', 'weights': [[0, 0, -1, 0, 0], [0, -1, -2, -1, 0], [-1, -2, 16, -2, -1], [0, -1, -2, -1, 0], [0, 0, -1, 0, 0]]},
}),
"cd3af73adeb5c2dfbc101648": ("motion.toml", {
    'motion-horizontal': {'summary': 'Blur over 9 pixels from left to right', 'source': 'The mean along a line; Gonzalez and Woods, Digital Image Processing, 4th edition, section 5.6', 'weights': [[1, 1, 1, 1, 1, 1, 1, 1, 1]], 'divisor': 9},
    'motion-vertical': {'summary': 'Blur over 9 pixels from top to bottom', 'source': 'The mean along a line; Gonzalez and Woods, Digital Image Processing, 4th edition, section 5.6', 'weights': [[1], [1], [1], [1], [1], [1], [1], [1], [1]], 'divisor': 9},
    'motion-down': {'summary': 'Blur over 9 pixels, top left to bottom right', 'source': 'The mean along a line; Gonzalez and Woods, Digital Image Processing, 4th edition, section 5.6', 'weights': [[1, 0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0, 0, 1]], 'divisor': 9},
    'motion-up': {'summary': 'Blur over 9 pixels, bottom left to top right', 'source': 'The mean along a line; Gonzalez and Woods, Digital Image Processing, 4th edition, section 5.6', 'weights': [[0, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 0]], 'divisor': 9},
}),
"2a721d0200d1f4bd7a5e4d52": ("outline.toml", {
    'outline': {'summary': 'Keeps what differs from its 8 neighbours', 'source': 'V. Powell, Image Kernels Explained Visually, setosa.io', 'weights': [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]},
}),
"9347260032f15e51978afbd0": ("prewitt.toml", {
    'prewitt-left': {'summary': 'Bright where left is brighter, smoothed evenly', 'source': 'J. Prewitt, Object Enhancement and Extraction, in Picture Processing and Psychopictorics, 1970', 'weights': [[1, 0, -1], [1, 0, -1], [1, 0, -1]]},
    'prewitt-right': {'summary': 'Bright where right is brighter, smoothed evenly', 'source': 'J. Prewitt, Object Enhancement and Extraction, in Picture Processing and Psychopictorics, 1970', 'weights': [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]},
    'prewitt-top': {'summary': 'Bright where top is brighter, smoothed evenly', 'source': 'J. Prewitt, Object Enhancement and Extraction, in Picture Processing and Psychopictorics, 1970', 'weights': [[1, 1, 1], [0, 0, 0], [-1, -1, -1]]},
    'prewitt-bottom': {'summary': 'Bright where below is brighter, smoothed evenly', 'source': 'J. Prewitt, Object Enhancement and Extraction, in Picture Processing and Psychopictorics, 1970', 'weights': [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]},
}),
"464b83407509a4ccf6e705b2": ("recipes.toml", {
    'sobel': {'summary': "Strength of edges in any direction, by Sobel's gradients", 'source': 'Sobel and Feldman, An Isotropic 3x3 Image Gradient Operator, Stanford AI Project, 1968', 'combine': 'magnitude', 'kernels': ['sobel-right', 'sobel-bottom']},
    'prewitt': {'summary': "Strength of edges in any direction, by Prewitt's gradients", 'source': 'J. Prewitt, Object Enhancement and Extraction, in Picture Processing and Psychopictorics, 1970', 'combine': 'magnitude', 'kernels': ['prewitt-right', 'prewitt-bottom']},
    'scharr': {'summary': "Strength of edges, alike in all directions, by Scharr's gradients", 'source': 'H. Scharr, Optimale Operatoren in der Digitalen Bildverarbeitung, dissertation, Heidelberg, 2000', 'combine': 'magnitude', 'kernels': ['scharr-right', 'scharr-bottom']},
    'roberts': {'summary': "Strength of edges, sharp and noisy, by Roberts' diagonals", 'source': 'L. Roberts, Machine Perception of Three-Dimensional Solids, MIT Lincoln Laboratory, 1963', 'combine': 'magnitude', 'kernels': ['roberts-top-left', 'roberts-top-right']},
    'kirsch': {'summary': 'Strength of edges, the greatest of eight directions', 'source': 'R. Kirsch, Computer Determination of the Constituent Structure of Biological Images, Computers and Biomedical Research 4, 1971', 'combine': 'max', 'kernels': ['kirsch-n', 'kirsch-ne', 'kirsch-e', 'kirsch-se', 'kirsch-s', 'kirsch-sw', 'kirsch-w', 'kirsch-nw']},
    'robinson': {'summary': "Strength of edges, the greatest of eight directions, by Sobel's weights", 'source': 'G. Robinson, Edge Detection by Compass Gradient Masks, Computer Graphics and Image Processing 6, 1977', 'combine': 'max', 'kernels': ['robinson-n', 'robinson-ne', 'robinson-e', 'robinson-se', 'robinson-s', 'robinson-sw', 'robinson-w', 'robinson-nw']},
}),
"fea9f03e0cb40e03feb3803b": ("roberts.toml", {
    'roberts-top-left': {'summary': 'Bright where the top left is brighter', 'source': 'L. Roberts, Machine Perception of Three-Dimensional Solids, MIT Lincoln Laboratory, 1963', 'weights': [[1, 0], [0, -1]]},
    'roberts-top-right': {'summary': 'Bright where the top right is brighter', 'source': 'L. Roberts, Machine Perception of Three-Dimensional Solids, MIT Lincoln Laboratory, 1963', 'weights': [[0, 1], [-1, 0]]},
}),
"01c6caf29f373e1fcbb1dd1c": ("robinson.toml", {
    'robinson-n': {'summary': 'Bright where north is brighter, as Sobel', 'source': 'G. Robinson, Edge Detection by Compass Gradient Masks, Computer Graphics and Image Processing 6, 1977', 'weights': [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]},
    'robinson-ne': {'summary': 'Bright where north-east is brighter, as Sobel', 'source': 'G. Robinson, Edge Detection by Compass Gradient Masks, Computer Graphics and Image Processing 6, 1977', 'weights': [[0, 1, 2], [-1, 0, 1], [-2, -1, 0]]},
    'robinson-e': {'summary': 'Bright where east is brighter, as Sobel', 'source': 'G. Robinson, Edge Detection by Compass Gradient Masks, Computer Graphics and Image Processing 6, 1977', 'weights': [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]},
    'robinson-se': {'summary': 'Bright where south-east is brighter, as Sobel', 'source': 'G. Robinson, Edge Detection by Compass Gradient Masks, Computer Graphics and Image Processing 6, 1977', 'weights': [[-2, -1, 0], [-1, 0, 1], [0, 1, 2]]},
    'robinson-s': {'summary': 'Bright where south is brighter, as Sobel', 'source': 'G. Robinson, Edge Detection by Compass Gradient Masks, Computer Graphics and Image Processing 6, 1977', 'weights': [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]},
    'robinson-sw': {'summary': 'Bright where south-west is brighter, as Sobel', 'source': 'G. Robinson, Edge Detection by Compass Gradient Masks, Computer Graphics and Image Processing 6, 1977', 'weights': [[0, -1, -2], [1, 0, -1], [2, 1, 0]]},
    'robinson-w': {'summary': 'Bright where west is brighter, as Sobel', 'source': 'G. Robinson, Edge Detection by Compass Gradient Masks, Computer Graphics and Image Processing 6, 1977', 'weights': [[1, 0, -1], [2, 0, -2], [1, 0, -1]]},
    'robinson-nw': {'summary': 'Bright where north-west is brighter, as Sobel', 'source': 'G. Robinson, Edge Detection by Compass Gradient Masks, Computer Graphics and Image Processing 6, 1977', 'weights': [[2, 1, 0], [1, 0, -1], [0, -1, -2]]},
}),
"61467ad0fc78d32a9f58d913": ("scharr.toml", {
    'scharr-left': {'summary': 'Bright where left is brighter, smoothed 3 10 3', 'source': 'H. Scharr, Optimale Operatoren in der Digitalen Bildverarbeitung, dissertation, Heidelberg, 2000', 'weights': [[3, 0, -3], [10, 0, -10], [3, 0, -3]]},
    'scharr-right': {'summary': 'Bright where right is brighter, smoothed 3 10 3', 'source': 'H. Scharr, Optimale Operatoren in der Digitalen Bildverarbeitung, dissertation, Heidelberg, 2000', 'weights': [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]},
    'scharr-top': {'summary': 'Bright where top is brighter, smoothed 3 10 3', 'source': 'H. Scharr, Optimale Operatoren in der Digitalen Bildverarbeitung, dissertation, Heidelberg, 2000', 'weights': [[3, 10, 3], [0, 0, 0], [-3, -10, -3]]},
    'scharr-bottom': {'summary': 'Bright where below is brighter, smoothed 3 10 3', 'source': 'H. Scharr, Optimale Operatoren in der Digitalen Bildverarbeitung, dissertation, Heidelberg, 2000', 'weights': [[-3, -10, -3], [0, 0, 0], [3, 10, 3]]},
}),
"b4ee0bb0ada8f3c9c24956b3": ("sharpen.toml", {
    'sharpen': {'summary': 'Sharpens against 4 neighbours', 'source': 'V. Powell, Image Kernels Explained Visually, setosa.io', 'weights': [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]},
    'sharpen-strong': {'summary': 'Sharpens against 8 neighbours', 'source': 'Gonzalez and Woods, Digital Image Processing, 4th edition, section 3.6', 'weights': [[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]]},
    'sharpen-unsharp': {'summary': 'Unsharp mask: twice the image less binomial-5', 'source': 'Twice the identity less binomial-5; Gonzalez and Woods, Digital Image Processing, 4th edition, section 3.6', 'weights': [[1, 4, 6, 4, 1], [4, 16, 24, 16, 4], [6, 24, -476, 24, 6], [4, 16, 24, 16, 4], [1, 4, 6, 4, 1]], 'divisor': -256},
}),
"f49ca16e660345fb00bf3b37": ("sobel.toml", {
    'sobel-left': {'summary': 'Bright where left is brighter, smoothed 1 2 1', 'source': 'Sobel and Feldman, An Isotropic 3x3 Image Gradient Operator, Stanford AI Project, 1968', 'weights': [[1, 0, -1], [2, 0, -2], [1, 0, -1]]},
    'sobel-right': {'summary': 'Bright where right is brighter, smoothed 1 2 1', 'source': 'Sobel and Feldman, An Isotropic 3x3 Image Gradient Operator, Stanford AI Project, 1968', 'weights': [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]},
    'sobel-top': {'summary': 'Bright where top is brighter, smoothed 1 2 1', 'source': 'Sobel and Feldman, An Isotropic 3x3 Image Gradient Operator, Stanford AI Project, 1968', 'weights': [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]},
    'sobel-bottom': {'summary': 'Bright where bottom is brighter, smoothed 1 2 1', 'source': 'Sobel and Feldman, An Isotropic 3x3 Image Gradient Operator, Stanford AI Project, 1968', 'weights': [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]},
}),
}
FAMILIES = {
    'binomial': ('binomial(size=)', 'Smooths as a gaussian does, in whole numbers', 'Burt, Fast Filter Transforms for Image Processing, 1981'),
    'box': ('box(size=)', 'Mean of a square', 'Gonzalez and Woods, Digital Image Processing, 4th ed., 2018, section 3.5'),
    'disk': ('disk(radius=)', 'Mean of a disk, as a lens out of focus', 'scikit-image, morphology.disk; divided by its sum'),
    'dog': ('dog(sigma1=, sigma2=, size=auto)', 'Band of sizes between two gaussians', 'Marr and Hildreth, Theory of Edge Detection, 1980'),
    'emboss': ('emboss(angle=-45)', 'Relief that rises towards an angle', 'setosa.io, Image Kernels, whose emboss is that of -45 degrees'),
    'gabor': ('gabor(sigma=, wavelength=, angle=0, phase=0, size=auto)', 'Texture of one scale and direction', 'Daugman, Uncertainty Relation for Resolution in Space, Spatial Frequency and Orientation, 1985; as OpenCV getGaborKernel with gamma 1'),
    'gaussian': ('gaussian(sigma=, size=auto, sigma_x=auto)', 'Smooths, without ringing and alike in all directions', 'Gonzalez and Woods, Digital Image Processing, 4th ed., 2018, section 3.5; cut off at 4 sigma as in SciPy'),
    'log': ('log(sigma=, size=auto)', 'Laplacian of a gaussian: blobs and edges of one size', 'Marr and Hildreth, Theory of Edge Detection, 1980; SciPy gaussian_laplace'),
    'motion': ('motion(length=, angle=0)', 'Smear along a line', "as MATLAB's fspecial('motion') describes it"),
    'sobel': ('sobel(size=3, angle=0)', 'Gradient towards an angle, of any odd size', 'Sobel and Feldman, 1968; OpenCV getDerivKernels'),
    'unsharp': ('unsharp(sigma=, amount=1, size=auto, sigma_x=auto)', 'Sharpens by what a gaussian takes away', 'Gonzalez and Woods, Digital Image Processing, 4th ed., 2018, section 3.6'),
}
