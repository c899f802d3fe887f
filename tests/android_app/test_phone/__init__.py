"""A phone for tests: a real adbd, Android's programs as small ones over one folder of state, the bench core on the JVM.

`python -m tests.android_app.test_phone start` starts one, so that `bench --device test-phone` can be tried by hand.
Nothing it measures is a phone's: it says that it is emulated, and no report ranks it.
"""
