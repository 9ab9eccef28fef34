// The wheels that TensorFlow's C library comes in, pinned. No Python of that version is needed: only their libraries are used.
// Made again by `infra/setup/pins.mjs` when the version changes.

export const TENSORFLOW_VERSION = '2.21.0';

export type Variant = 'cpu' | 'gpu';

export interface Wheel {
  /** Name and version as pip takes them. */
  readonly requirement: string;
  readonly sha256: string;
  /** Size of the download in MB, for the progress bar. */
  readonly megabytes: number;
}

export interface WheelSet {
  /** pip's platform tags, newest first. */
  readonly platforms: readonly string[];
  readonly wheels: readonly Wheel[];
  /** Size of the unpacked libraries in MB. */
  readonly unpackedMegabytes: number;
}

const wheel = (requirement: string, megabytes: number, sha256: string): Wheel => ({ requirement, sha256, megabytes });

const MANYLINUX_X64 = [
  'manylinux_2_28_x86_64',
  'manylinux_2_27_x86_64',
  'manylinux_2_17_x86_64',
  'manylinux2014_x86_64',
  'manylinux_2_12_x86_64',
  'manylinux1_x86_64',
];

/** By `process.platform`-`process.arch` and variant. TensorFlow has CUDA for Linux x64 only. */
const SETS: Readonly<Record<string, Partial<Record<Variant, WheelSet>>>> = {
  'linux-x64': {
    cpu: {
      platforms: MANYLINUX_X64,
      unpackedMegabytes: 853,
      wheels: [wheel('tensorflow-cpu==2.21.0', 274, '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c')],
    },
    gpu: {
      platforms: MANYLINUX_X64,
      unpackedMegabytes: 5614,
      wheels: [
        wheel('tensorflow==2.21.0', 573, '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124'),
        wheel('nvidia-cublas-cu12==12.9.3.13', 582, 'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72'),
        wheel('nvidia-cuda-cupti-cu12==12.8.90', 10, 'ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182'),
        wheel('nvidia-cuda-nvcc-cu12==12.9.86', 41, '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0'),
        wheel('nvidia-cuda-nvrtc-cu12==12.9.86', 90, '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4'),
        wheel('nvidia-cuda-runtime-cu12==12.9.79', 4, '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3'),
        wheel('nvidia-cudnn-cu12==9.28.0.42', 650, '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375'),
        wheel('nvidia-cufft-cu12==11.4.1.4', 201, 'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28'),
        wheel('nvidia-curand-cu12==10.3.10.19', 68, '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e'),
        wheel('nvidia-cusolver-cu12==11.7.5.82', 338, '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88'),
        wheel('nvidia-cusparse-cu12==12.5.10.65', 366, '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78'),
        wheel('nvidia-nccl-cu12==2.32.3', 323, 'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c'),
        wheel('nvidia-nvjitlink-cu12==12.9.86', 40, 'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9'),
      ],
    },
  },
  'linux-arm64': {
    cpu: {
      platforms: ['manylinux_2_28_aarch64', 'manylinux_2_27_aarch64', 'manylinux2014_aarch64'],
      unpackedMegabytes: 883,
      wheels: [wheel('tensorflow==2.21.0', 282, '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c')],
    },
  },
  'darwin-arm64': {
    cpu: {
      platforms: ['macosx_12_0_arm64'],
      unpackedMegabytes: 741,
      wheels: [wheel('tensorflow==2.21.0', 223, '51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88')],
    },
  },
};

/** The wheels of a variant on a platform, or undefined where there are none. */
export const wheelSet = (variant: Variant, platform = `${process.platform}-${process.arch}`): WheelSet | undefined =>
  SETS[platform]?.[variant];

/** Python version whose wheel is taken, whatever Python runs pip: the libraries are the same in all of them. */
export const WHEEL_PYTHON = { version: '3.11', implementation: 'cp', abi: 'cp311' } as const;
