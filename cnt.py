import numpy as np,imgconv
from imgconv.engine import run
from imgconv.arrays import *
