import { Heading } from '../ui/heading.tsx';
export function AccountView({ name }: { readonly name: string }) {
  return <Heading>{name}</Heading>;
}
