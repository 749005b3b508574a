from setuptools import find_packages, setup

setup(name='mmssl_geo', version='0.1.0', packages=find_packages())
