import { parseEof } from '../config/parse-eof.ts'
import type { FramingConfig } from '../config/schema.ts'
import type { Framing } from '../contracts/framing.ts'
import { CustomFraming } from './custom-framing.ts'
import { EofFraming } from './eof-framing.ts'
import type { Cutter } from './frame-reader.ts'
import { LengthFraming } from './length-framing.ts'
import { RawFraming } from './raw-framing.ts'

/**
 * Makes the framing that a port's config describes.
 * @param custom what `module` exports, for `"type": "custom"`
 */
export function createFraming(config: FramingConfig, custom?: Framing): Cutter {
  switch (config.type) {
    case 'eof':
      return new EofFraming({ ...config, eof: parseEof(config.eof) })
    case 'length':
      return new LengthFraming(config)
    case 'raw':
      return new RawFraming()
    case 'custom':
      if (custom === undefined) throw new TypeError('Custom framing needs its module')
      return new CustomFraming(custom, config)
  }
}
